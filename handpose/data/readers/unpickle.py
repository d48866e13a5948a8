"""Read a pickle of arrays without trusting it.

A pickle can call any function of any installed module. This reader knows none but the few below, which make arrays
out of bytes that stand in the file. NumPy itself is never called by the file, and nothing grows beyond what it holds.
"""

import io
import math
import pickle
import re
import struct
from typing import Any

import numpy as np

from handpose.data.common import one_line


class Dtype:
    """The type of an array's numbers: `value`, a NumPy dtype of booleans, integers or floats."""

    def __init__(self, name: str, *_flags: object) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", name):
            raise pickle.UnpicklingError("it holds an array of something else than numbers")
        self.value = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        self.value = self.value.newbyteorder(state[1] if state[1] in ("<", ">") else "=")


class Array:
    """Stands where an array stood: `value`, a read-only NumPy array; empty until the file has filled it."""

    value = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, by_columns, data = state
        data = data.encode("latin1") if isinstance(data, str) else data  # as Python 2 wrote it
        if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * dtype.value.itemsize != len(data):
            raise pickle.UnpicklingError("it holds an array whose size and content do not agree")
        self.value = np.frombuffer(data, dtype.value).reshape(shape, order="F" if by_columns else "C")


def _from_buffer(data: bytes | str, dtype: Dtype, shape: tuple, order: str) -> Array:
    array = Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _scalar(dtype: Dtype, data: bytes | str) -> float:
    return _from_buffer(data, dtype, (1,), "C").value.item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


#: NumPy 1 says numpy.core, NumPy 2 numpy._core.
KNOWN = {
    ("numpy", "ndarray"): "ndarray",  # a mere word: only `_reconstruct` is given it, and has no use for it
    ("numpy", "dtype"): Dtype,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: Array(),
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,  # protocol 5
    ("_codecs", "encode"): _encode,  # protocol 2 as Python 3 writes it, and for no bytes at all:
    ("__builtin__", "bytes"): lambda: b"",
}


_Base: Any = pickle._Unpickler  # whose stack and steps typeshed leaves out


class Unpickler(_Base):
    """Python's own reader written in Python: the one in C makes room for whatever size a file of ten bytes claims."""

    dispatch = dict(_Base.dispatch)

    def find_class(self, module: str, name: str) -> object:
        known = KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs; do not trust this file")
        return known

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], Array | Dtype):
            raise pickle.UnpicklingError("it changes something else than an array; do not trust this file")
        super().load_build()

    def load_bytearray8(self) -> None:
        self.append(self.read(*struct.unpack("<Q", self.read(8))))  # no more than is there

    def _simple(self, keys: list) -> None:
        if not all(isinstance(key, str | bytes | int | float) for key in keys):
            raise pickle.UnpicklingError("a key in it is neither word nor number")  # hashing deep tuples can crash

    def load_setitem(self) -> None:
        self._simple(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        self._simple(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        self._simple(self.stack[::2])
        super().load_dict()

    dispatch |= {
        pickle.BUILD[0]: load_build, pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.SETITEM[0]: load_setitem, pickle.SETITEMS[0]: load_setitems, pickle.DICT[0]: load_dict,
    }  # fmt: skip
    for code in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        del dispatch[code[0]]


def load(data: bytes) -> object:
    """What a pickle of any protocol holds: Python's containers, words and numbers, and an `Array` for each array.

    Raises:
        ValueError: it cannot be read, or asks for something else; one line says why.
    """
    try:
        return Unpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged file can raise almost anything
        raise ValueError(one_line(error)) from None
