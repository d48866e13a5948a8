"""Read a variable of a MATLAB file (version 5 to 7) by SciPy, after a look at whether the file is whole.

SciPy believes what a file says of its parts: one damaged file in some hundreds ends the program with a segmentation
fault instead of an error. So the parts are gone through first; see MathWorks' "MAT-File Format".
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from handpose.data.common import one_line

COMPRESSED, MATRIX = 15, 14
CELL, STRUCT, CHAR = 1, 2, 4
NUMBERS = range(6, 16)  # the classes of numeric arrays
SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # bytes of a number, by the type it is stored as
LETTERS = (1, 2, 4, 16, 17, 18)  # types that text is stored as
LARGEST = 1 << 30  # bytes; no label file unpacks to more


def load(file: Path, name: str) -> np.ndarray | None:
    """A variable's value as SciPy gives it, an array of any shape; None if there is no such variable.

    Raises:
        ValueError: it cannot be read, is damaged, or holds no plain arrays; one line says why.
    """
    from scipy.io import loadmat  # takes a moment, and few sets need it

    try:
        _check(file.read_bytes())
        value = loadmat(file, variable_names=[name]).get(name)
    except Exception as error:  # a damaged file can raise almost anything
        raise ValueError(one_line(error)) from None
    if value is not None and type(value) is not np.ndarray:
        raise ValueError(f"{name} is no plain array")
    return value


def _check(data: bytes) -> None:
    """Go through a file of version 5; ValueError if a part does not fit. SciPy itself is safe with other versions."""
    if not data or 0 in data[:4]:  # version 4, or what SciPy takes for it
        return
    if len(data) < 128:
        raise ValueError("it is cut off")
    if data[125 if data[126:127] == b"I" else 124] == 2:  # version 7.3
        return
    order = "<" if data[126:128] == b"IM" else ">"
    for kind, part in _parts(data[128:], order):
        if kind == COMPRESSED:
            unpacking = zlib.decompressobj()
            part = unpacking.decompress(part, LARGEST)
            if not unpacking.eof:
                raise ValueError("a variable is cut off, or too large")
            ((kind, part),) = _parts(part, order)
        if kind != MATRIX:
            raise ValueError("a variable is no array")
        _check_matrix(part, order, top=True)


def _parts(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """The elements, (type, content) each, that follow one another."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("an element is cut off")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start = at + 8
        if kind >> 16:  # up to four bytes are put beside a short tag
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError("an element is larger than its place")
        if start + size > len(data):
            raise ValueError("an element is cut off")
        yield kind, data[start : start + size]
        at = max(start + size, at + 8)
        if kind != COMPRESSED:
            at += -at % 8


def _check_matrix(data: bytes, order: str, top: bool = False) -> None:
    """ValueError if an array's elements are not what its head says; others than plain arrays only at the `top`."""
    if not data and not top:
        return  # an empty cell
    parts = list(_parts(data, order))
    kinds = [kind for kind, _ in parts[:3]]
    head = len(kinds) == 3 and kinds[0] == 6 and kinds[1] in (5, 6) and kinds[2] in (1, 16)  # others write 6 and 16
    if not head or len(parts[0][1]) != 8 or len(parts[1][1]) % 4:
        raise ValueError("an array has no head")
    (flags, _), shape = (struct.unpack(f"{order}{len(part) // 4}i", part) for _, part in parts[:2])
    if not 2 <= len(shape) <= 32 or min(shape) < 0:
        raise ValueError("an array has no shape")
    kind, count, rest = flags & 0xFF, math.prod(shape), parts[3:]
    if kind in NUMBERS:
        good = len(rest) == (2 if flags & 0x800 else 1) and all(t in SIZES for t, _ in rest)
        good = good and all(len(part) == count * SIZES[t] for t, part in rest)
    elif kind == CHAR:
        good = len(rest) == 1 and rest[0][0] in LETTERS and len(rest[0][1]) >= count
    elif kind in (CELL, STRUCT):
        if kind == STRUCT:
            if [t for t, _ in rest[:2]] != [5, 1] or len(rest[0][1]) != 4:
                raise ValueError("a structure has no fields")
            length = struct.unpack(f"{order}i", rest[0][1])[0]
            count *= len(rest[1][1]) // max(length, 1)
            rest = rest[2:] if length > 0 and len(parts[4][1]) % length == 0 else [(0, b"")]
        good = len(rest) == count and all(t == MATRIX for t, _ in rest)
        for _, part in rest if good else ():
            _check_matrix(part, order)
    else:
        good = top  # SciPy looks into it only when asked for it, and `load` refuses it
    if not good:
        raise ValueError("an array's content is not what its head says")
