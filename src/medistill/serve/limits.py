"""How much a service takes on at once. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, fields

from medistill.core.errors import MedistillError

MEBIBYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on size, number and time; a request beyond one is refused and the rest goes on.

    Attributes:
        upload_mib: of one request, in MiB (2**20 bytes).
        memory_mib: of all uploads from their first byte to their answer, in MiB.
        files: of one request.
        queue: images inside the service at once, read or waiting; one more is answered with 429.
        batch: images that run together.
        gather_ms: how long, in milliseconds, an image waits for others that are on their way.
        upload_seconds: from the first to the last byte of a request.
        answer_seconds: from the last byte of a request to its answer.
        shutdown_seconds: how long a stopping server finishes what it has accepted.

    Raises:
        MedistillError: a bound is not positive.
    """

    upload_mib: int = 64
    memory_mib: int = 512
    files: int = 32
    queue: int = 64
    batch: int = 8
    gather_ms: int = 4
    upload_seconds: float = 30.0
    answer_seconds: float = 60.0
    shutdown_seconds: int = 30

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise MedistillError(
                    where=f"--{item.name.replace('_', '-')}",
                    what=f"{value} is impossible",
                    cure="Give a number above 0.",
                )
        if self.memory_mib < self.upload_mib:
            raise MedistillError(
                where="--memory-mib",
                what=f"{self.memory_mib} MiB cannot hold one upload of {self.upload_mib} MiB",
                cure="Give at least the size of one upload.",
            )

    @property
    def upload_bytes(self) -> int:
        """Largest request in bytes."""
        return self.upload_mib * MEBIBYTE

    @property
    def memory_bytes(self) -> int:
        """Most bytes of all uploads inside at once."""
        return self.memory_mib * MEBIBYTE
