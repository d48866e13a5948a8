"""Read a ``keypoints.csv``: path, score, x0, y0, ... x20, y20 in pixels, as made by a tracker.

The names in its first row decide which column is which; without such a row they stand in this order. A picture has
one row.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from handpose.data.common import DataError
from handpose.data.readers import exports

LARGEST = 1e7  # pixels; what is farther away is no coordinate
COLUMNS = ("path", "score", *(f"{axis}{joint}" for joint in range(21) for axis in "xy"))


def read(file: Path, min_score: float) -> list[tuple[str, np.ndarray]]:
    """Rows (path, (21, 2) points) with at least the given score, in the file's order.

    Raises:
        DataError: the file is missing or no CSV, a column is missing, or a row is broken, repeated, or in parts of the
            picture's size; the message names the row.
    """
    rows = []
    before: dict[PurePosixPath, int] = {}
    for number, (path, *texts) in _rows(file):
        try:
            values = np.array([float(text) for text in texts])
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {str(error)[:100]}") from None
        if not np.isfinite(values).all():
            raise DataError(f"{file}, line {number}: a number is not finite")
        if not 0 <= values[0] <= 1 or (np.abs(values) > LARGEST).any():
            raise DataError(f"{file}, line {number}: the score is not from 0 to 1, or a joint is too far away")
        keypoints = values[1:].reshape(21, 2)
        if exports.parts_of_size(keypoints):
            raise DataError(f"{file}, line {number}: all points {exports.PARTS}")
        if (first := before.setdefault(PurePosixPath(path), number)) != number:
            raise DataError(f"{file}, line {number}: {path[:100]!r} was there before, in line {first}; a picture has "
                            "one row, so remove one of them")  # fmt: skip
        if values[0] >= min_score:
            rows.append((path, keypoints.astype(np.float32)))
    if not rows:
        raise DataError(f"{file}: no row with a score of at least {min_score}")
    return rows


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of each line that is no header, and its fields in the order of `COLUMNS`; a DataError names it."""
    indices, width = list(range(len(COLUMNS))), len(COLUMNS)
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for at, row in enumerate(row for row in reader if row):  # blank lines hold nothing
                if at == 0 and _is_header(row):
                    indices, width = _indices(row, file), len(row)
                    continue
                if len(row) != width:
                    raise DataError(f"{file}, line {reader.line_num}: {len(row)} fields, not {width} (path, score, "
                                    "21 times x, y)")  # fmt: skip
                yield reader.line_num, [row[i] for i in indices]
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 ({error.reason}, byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: no row of a CSV file ({error}); look for a quotation mark "
                        "that is not closed") from None  # fmt: skip


def _is_header(row: list[str]) -> bool:
    try:
        float(row[1])
    except (IndexError, ValueError):
        return True
    return False


def _indices(header: list[str], file: Path) -> list[int]:
    """Where each of `COLUMNS` stands; a DataError names those that do not, or stand twice."""
    names = [name.strip().lower() for name in header]
    counts = Counter(names)
    for what, wrong in (
        ("no", [c for c in COLUMNS if not counts[c]]),
        ("twice", [c for c in COLUMNS if counts[c] > 1]),
    ):
        if wrong:
            raise DataError(f"{file}, line 1: {what} column {exports.listed(wrong, 6)}; its names must be path, score, "
                            "x0, y0, ... x20, y20, with commas between, in any order")  # fmt: skip
    return [names.index(column) for column in COLUMNS]
