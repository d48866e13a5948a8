"""Read a ``keypoints.csv``: path, score, x0, y0, ... x20, y20 in pixels, as made by a tracker."""

import csv
from pathlib import Path

import numpy as np

from handpose.data.common import DataError

LARGEST = 1e7  # pixels; what is farther away is no coordinate


def read(file: Path, min_score: float) -> list[tuple[str, np.ndarray]]:
    """Rows (path, (21, 2) points) with at least the given score, in the file's order.

    Raises:
        DataError: the file is missing, or a row is broken; the message names the row.
    """
    rows = []
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            for number, row in enumerate(csv.reader(stream), 1):
                if number == 1 and _is_header(row):
                    continue  # the names of the columns, which a file may lack
                if len(row) != 44:
                    raise DataError(f"{file}, line {number}: {len(row)} fields, not 44 (path, score, 21 times x, y)")
                try:
                    values = np.array([float(v) for v in row[1:]])
                except ValueError as error:
                    raise DataError(f"{file}, line {number}: {str(error)[:100]}") from None
                if not np.isfinite(values).all():
                    raise DataError(f"{file}, line {number}: a number is not finite")
                if not 0 <= values[0] <= 1 or (np.abs(values) > LARGEST).any():
                    raise DataError(f"{file}, line {number}: the score is not from 0 to 1, or a joint is too far away")
                if values[0] >= min_score:
                    rows.append((row[0], values[1:].reshape(21, 2).astype(np.float32)))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if not rows:
        raise DataError(f"{file}: no row with a score of at least {min_score}")
    return rows


def _is_header(row: list[str]) -> bool:
    try:
        float(row[1])
    except (IndexError, ValueError):
        return True
    return False
