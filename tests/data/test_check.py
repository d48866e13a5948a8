"""Whether a folder holds a data set: what pictures' headers tell, and what is said of a set without a reader."""

import cv2
import numpy as np
import pytest

from handpose import data
from handpose.data.check import check_set, free_space, image_size, in_words


def refused(path, *words):
    """A DataError of one line, which holds these words."""
    with pytest.raises(data.DataError) as error:
        image_size(path)
    line = str(error.value)
    assert "\n" not in line and all(str(word) in line for word in words), line


def test_headers_of_pictures(tmp_path):
    rng = np.random.default_rng(3)
    for ending in (".jpg", ".png"):
        file = tmp_path / f"a{ending}"
        cv2.imwrite(str(file), rng.integers(0, 256, (70, 90, 3), dtype=np.uint8))
        assert image_size(file) == (90, 70)
        code = file.read_bytes()
        for cut in (0, 1, 10, 25, 100, len(code) // 2, len(code) - 1):
            file.write_bytes(code[:cut])
            refused(file, file, "again")
        file.write_bytes(code + b"\0" * 50)
        assert image_size(file) == (90, 70)
    (tmp_path / "b.jpg").write_text("<html>")
    refused(tmp_path / "b.jpg", "neither a JPEG nor a PNG")
    refused(tmp_path / "c.jpg", "cannot be read")


def test_a_set_without_a_reader_is_no_error(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((32, 32, 3), np.uint8))
    monkeypatch.setattr(data, "SOURCES", ("synthetic",))
    line = check_set("hand-keypoints", tmp_path)
    assert "no reader" in line and "1 picture files" in line


def test_bytes_in_words_and_room(tmp_path):
    assert [in_words(n) for n in (None, 1, 999_999, 1e6, 7.1e9)] == [
        "not recorded",
        "0.0 kB",
        "1000.0 kB",
        "1.0 MB",
        "7.1 GB",
    ]
    existing, free = free_space(tmp_path / "not" / "yet")
    assert existing == tmp_path and free > 0
