"""Sequential Huffman JPEG of one component and any precision, decoded from ITU-T T.81 alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.fft import idctn

Code = dict[tuple[int, int], int]
#: T.81, figure A.6: row * 8 + column of each coefficient in the order of the stream.
ZIGZAG = sorted(
    range(64),
    key=lambda k: (k // 8 + k % 8, k % 8 if (k // 8 + k % 8) % 2 == 0 else k // 8),
)


def decode_gray(data: bytes) -> NDArray[np.int64]:
    """Values of shape (rows, columns), without restart markers."""
    quantised: dict[int, NDArray[np.int64]] = {}
    codes: dict[int, Code] = {}
    for marker, body in _segments(data):
        if marker == 0xDB:
            quantised |= dict(_quantisers(body))
        elif marker == 0xC4:
            codes |= dict(_codes(body))
        elif marker in (0xC0, 0xC1):
            bits, rows, columns, table = body[0], _word(body, 1), _word(body, 3), body[8]
            assert body[5] == 1
        elif marker == 0xDA:
            dc, ac = codes[body[2] >> 4], codes[16 + (body[2] & 15)]
            scan = data[data.rindex(body) + len(body) :]
    blocks = _blocks(_bits(scan), dc, ac, -(-rows // 8) * -(-columns // 8))
    grid = np.array(list(blocks)) * quantised[table]
    shape = (-(-rows // 8), -(-columns // 8), 8, 8)
    natural = np.zeros_like(grid)
    natural[:, ZIGZAG] = grid
    values = idctn(natural.reshape(shape).astype(float), axes=(2, 3), norm="ortho")
    picture = values.transpose(0, 2, 1, 3).reshape(8 * shape[0], 8 * shape[1])
    shown = np.rint(picture + 2 ** (bits - 1)).astype(np.int64)
    return np.clip(shown, 0, 2**bits - 1)[:rows, :columns]


def _word(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 2], "big")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while data[at + 1] != 0xD9:
        length = _word(data, at + 2)
        yield data[at + 1], data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xDA:
            return
        at += 2 + length


def _quantisers(body: bytes) -> Iterator[tuple[int, NDArray[np.int64]]]:
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        values = np.frombuffer(body[1:], dtype=">u2" if wide else np.uint8, count=64)
        yield number, values.astype(np.int64)
        body = body[1 + 64 * (1 + wide) :]


def _codes(body: bytes) -> Iterator[tuple[int, Code]]:
    while body:
        counts, at, code, found = body[1:17], 17, 0, {}
        for length, count in enumerate(counts, start=1):
            for _ in range(count):
                found[length, code] = body[at]
                at, code = at + 1, code + 1
            code *= 2
        yield body[0], found
        body = body[at:]


def _bits(scan: bytes) -> Iterator[int]:
    for value in scan.replace(b"\xff\x00", b"\xff"):
        for shift in range(7, -1, -1):
            yield (value >> shift) & 1


def _symbol(bits: Iterator[int], code: Code) -> int:
    length, value = 0, 0
    while (length, value) not in code:
        length, value = length + 1, 2 * value + next(bits)
        assert length <= 16
    return code[length, value]


def _signed(bits: Iterator[int], size: int) -> int:
    value = 0
    for _ in range(size):
        value = 2 * value + next(bits)
    return value if size == 0 or value >> (size - 1) else value - 2**size + 1


def _blocks(bits: Iterator[int], dc: Code, ac: Code, count: int) -> Iterator[list[int]]:
    level = 0
    for _ in range(count):
        level += _signed(bits, _symbol(bits, dc))
        block, at = [level] + [0] * 63, 1
        while at < 64:
            run, size = divmod(_symbol(bits, ac), 16)
            if size == 0 and run != 15:
                break
            at += run
            block[at] = _signed(bits, size)
            at += 1
        yield block
