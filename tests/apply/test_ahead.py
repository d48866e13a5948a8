"""Many pictures at a flat memory: what is read in advance is bounded, and what is found is written, not kept."""

import json
import threading
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from handpose import HandPose
from handpose.__main__ import main
from handpose.apply.ahead import DEPTH, Lines, ahead
from handpose.confidence import Confidence
from handpose.data import pictures
from handpose.files import OutputError
from handpose.pipeline import Hand


def test_items_come_in_order_and_few_in_advance():
    made, used, most = [], [], 0

    def items():
        for k in range(50):
            made.append(k)
            yield k

    for k in ahead(items()):
        used.append(k)
        most = max(most, len(made) - len(used))
    assert used == list(range(50)) and most <= DEPTH + 1


def test_errors_come_behind_what_was_made_before():
    def items():
        yield 1
        raise OSError("the disk")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(OSError, match="the disk"):
        next(found)


def test_who_stops_early_leaves_no_thread_behind():
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    before, found = threading.active_count(), ahead(items())
    assert next(found) == 0
    found.close()
    assert closed == [True] and threading.active_count() == before


def test_lines_are_there_as_soon_as_they_are_written(tmp_path):
    lines = Lines(tmp_path / "a.jsonl", {"joints": []})
    lines.under("film.mp4").append({"frame": 0})
    assert (tmp_path / "a.jsonl").read_text() == '{"joints": []}\n{"path": "film.mp4", "frame": 0}\n'
    lines.close()
    with pytest.raises(OutputError, match="cannot be written"):
        Lines(tmp_path, {})


@pytest.fixture
def counted(monkeypatch):
    """In place of HandPose; and how many pictures are in memory at each of its calls, and how many were read."""
    alive, counts, read = [], [], []

    class Eyes:
        confidence = Confidence(0, 1, 0, alone=(-11, 20))

        def __call__(self, image, boxes=None, **_):
            counts.append(sum(each() is not None for each in alive))
            return [
                Hand(np.ones((21, 2), np.float32), np.ones(21, np.float32), np.array((1, 1, 9, 9), np.float32), 0.9)
            ]

    def reading(path, decode=pictures.read):
        read.append(path)
        found = decode(path)
        alive.append(weakref.ref(found))
        return found

    monkeypatch.setattr(HandPose, "from_pretrained", lambda *_, **__: Eyes())
    monkeypatch.setattr(pictures, "read", reading)
    return counts, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("many")
    for k in range(120):
        cv2.imwrite(str(target / f"{k:04}.png"), np.full((32, 40, 3), k, np.uint8))
    return target


def test_pictures_in_memory_do_not_grow_with_their_number(folder, counted, tmp_path):
    counts, read = counted
    out = tmp_path / "out.jsonl"
    assert main(["predict", str(folder), "--json", str(out)]) == 0
    assert len(counts) == len(read) == 120 and max(counts) <= DEPTH + 3  # one read, one used, one just used
    head, *rows, end = map(json.loads, out.read_text().splitlines())
    assert set(head) == {"joints", "weights"} and end == {"left_out": []} and len(rows) == 120
    assert [Path(row["path"]).name for row in rows] == [f"{k:04}.png" for k in range(120)]
    assert set(rows[0]) == {"path", "width", "height", "hands"}


def test_parts_are_all_and_share_nothing(folder, counted, tmp_path):
    (folder / "notes.txt").write_text("text")
    done, left = [], []
    for k in (1, 2, 3):
        out = tmp_path / f"{k}.json"
        assert main(["predict", str(folder), "--part", f"{k}/3", "--json", str(out)]) == 0
        found = json.loads(out.read_text())
        done += [entry["path"] for entry in found["images"]]
        left += found["left_out"]
    assert len(done) == len(set(done)) == 120 and len(left) == 1
    for wrong in ("0/3", "4/3", "2", "a/b"):
        with pytest.raises(SystemExit):
            main(["predict", str(folder), "--part", wrong])


def test_an_unreadable_picture_among_many_is_one_line(folder, counted, tmp_path, capsys):
    for k, data in enumerate((b"\xff\xd8\xff and no more", b"")):
        (tmp_path / f"{k}.jpg").write_bytes(data)
    good = str(folder / "0000.png")
    names = [str(tmp_path / "0.jpg"), good, str(tmp_path / "1.jpg"), str(tmp_path / "none.png")]
    assert main(["predict", *names, "--json", str(tmp_path / "out.json")]) == 1
    assert capsys.readouterr().err.count("error: ") == 3
    assert [entry["path"] for entry in json.loads((tmp_path / "out.json").read_text())["images"]] == [good]
