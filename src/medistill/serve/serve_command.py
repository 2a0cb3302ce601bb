"""The command ``serve``: a bundle behind HTTP on this machine. Torch-free."""

from __future__ import annotations

import ipaddress
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import MedistillError, MissingExtraError

KEY_VARIABLE = "MEDISTILL_API_KEY"
_SHORTEST_KEY = 16
_NEEDED = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn")


def serve_command(
    bundle: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    threads: int | None = None,
    graph: str | None = None,
    audit: Path | None = None,
    keep: Path | None = None,
    key_file: Path | None = None,
    **bounds: float,
) -> None:
    """Serve a bundle until SIGINT or SIGTERM.

    Args:
        bundle: folder or zip.
        host: address to listen on; the default is reached from this machine only.
        port: its port; 0 for any that is free.
        threads: for inference; None for all cores.
        graph: name of the graph; None for the bundle's default.
        audit: file of the audit log; None keeps none.
        keep: folder in which uploads are kept; None keeps none.
        key_file: file that holds the API key; without it the environment's ``MEDISTILL_API_KEY``.
        bounds: fields of ``Limits``.

    Raises:
        MedistillError: the extra is missing, or something given cannot be used.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError(command="medistill serve", extra="serve")
    from medistill.serve.limits import Limits
    from medistill.serve.server import bind, run_server
    from medistill.serve.service import Service, Settings

    settings = Settings(
        threads=threads,
        graph=graph,
        limits=Limits(**bounds),  # type: ignore[arg-type]
        audit=audit,
        keep=keep,
        key=read_key(key_file),
    )
    service = Service(open_bundle(bundle), settings)
    with bind(host, port) as listener:
        address = f"http://{_bracketed(host)}:{listener.getsockname()[1]}"
        _warn_if_open(host, settings.key)
        run_server(service, listener, started=lambda: _say(f"Serving {bundle.name} on {address}"))
    _say("Stopped; everything that was accepted is answered.")


def read_key(path: Path | None) -> str | None:
    """The API key from a file or the environment; None where neither is given.

    Raises:
        MedistillError: the file cannot be read, or the key is too short to be one.
    """
    where: object = path or KEY_VARIABLE
    try:
        text = os.environ.get(KEY_VARIABLE) if path is None else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise MedistillError(
            where=where, what=f"the API key cannot be read ({reason})", cure="Check --key-file."
        ) from error
    if text is None:
        return None
    key = text.strip()
    if len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable():
        raise MedistillError(
            where=where,
            what=f"the API key is not {_SHORTEST_KEY} or more printable ASCII characters",
            cure="Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'.",
        )
    return key


def _warn_if_open(host: str, key: str | None) -> None:
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside and key is None:
        _say("Caution: whoever reaches this address may use it; set a key with --key-file.")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
