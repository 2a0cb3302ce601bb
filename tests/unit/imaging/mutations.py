"""Mutated copies of DICOM files, and a process of bounded memory and time that reads them.

Run as a script: reads sample names from its arguments and prints one line of JSON a copy.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medistill.core.errors import DataError
from medistill.imaging.reader import decode_image

#: Bounds of the reading process: address space above what importing took; for each copy seconds of
#: processor time, and of waiting on a busy machine.
MEMORY, SECONDS, PATIENCE = 2**30, 10, 100
Random = np.random.Generator


def flipped(data: bytes, draw: Random) -> bytes:
    """Some bits are turned, most of them in the header."""
    held = bytearray(data)
    for _ in range(int(draw.integers(1, 24))):
        end = len(held) if draw.random() < 0.3 else min(len(held), 2000)
        held[int(draw.integers(128, max(129, end))) % len(held)] ^= 1 << int(draw.integers(8))
    return bytes(held)


def truncated(data: bytes, draw: Random) -> bytes:
    """The end is missing."""
    return data[: int(draw.integers(1, len(data)))]


def absurd(data: bytes, draw: Random) -> bytes:
    """Rows, columns, samples, bits or frames are impossible (explicit little endian)."""
    held = bytearray(data)
    tags = (b"\x28\0\x10\0", b"\x28\0\x11\0", b"\x28\0\x02\0", b"\x28\0\0\x01", b"\x28\0\x01\x01")
    for tag in tags:
        place = data.find(tag + b"US")
        if place >= 0 and draw.random() < 0.5:
            value = int(draw.choice([0, 1, 3, 255, 30000, 65535]))
            held[place + 8 : place + 10] = struct.pack("<H", value)
    return bytes(held)


def giant(data: bytes, draw: Random) -> bytes:
    """An element claims to be gigabytes long."""
    held = bytearray(data)
    places = [i for i in range(132, len(data) - 8) if data[i : i + 2] in (b"OW", b"OB", b"SQ")]
    place = int(draw.choice(places)) + 4 if places else int(draw.integers(140, len(data) - 4))
    held[place : place + 4] = struct.pack("<I", int(draw.choice([0x7FFFFFFF, 0xFFFFFFF0, 2**30])))
    return bytes(held)


def nested(data: bytes, draw: Random) -> bytes:
    """Thousands of sequences in each other stand before the data set."""
    depth = int(draw.integers(500, 20_000))
    item = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    return data[:132] + data[132 : 132 + 12 + _meta_length(data)] + item * depth


def _meta_length(data: bytes) -> int:
    return int.from_bytes(data[140:144], "little") if data[128:132] == b"DICM" else 0


MUTATIONS: dict[str, Callable[[bytes, Random], bytes]] = {
    "flipped": flipped,
    "truncated": truncated,
    "absurd": absurd,
    "giant": giant,
    "nested": nested,
}


def _stop(signum: int, frame: object) -> None:
    raise SystemExit("a copy took too long")


def main(seed: int, copies: int, paths: list[str]) -> None:
    """Read ``copies`` copies of each file under the bounds."""
    decode_image(io.BytesIO(Path(paths[0]).read_bytes()), where="warm")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (max(used, space) + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _stop)
    signal.signal(signal.SIGPROF, _stop)
    for path in paths:
        data = Path(path).read_bytes()
        for number in range(copies):
            kind = list(MUTATIONS)[number % len(MUTATIONS)]
            draw = np.random.default_rng([seed, number, len(data)])
            signal.alarm(PATIENCE)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            started = time.process_time()
            try:
                decode_image(io.BytesIO(MUTATIONS[kind](data, draw)), where=path)
                said = None
            except DataError as error:
                said = error.what
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            spent = time.process_time() - started
            print(json.dumps([Path(path).name, kind, number, said, round(spent, 3)]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
