"""No command writes over what it did not write itself: photographs, labels, records; results are written again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handpose import cli, files
from handpose.__main__ import main
from handpose.apply import photos, recording
from handpose.apply.capture import Source
from handpose.apply.formats import DRAWN, FILMED
from handpose.data import SyntheticHands, pictures
from handpose.skeleton import JOINTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own(tmp_path):
    """Two photographs with their labels in COCO's form, and a third that is nobody's, in the working folder."""
    hands, value = SyntheticHands(seed=2, size=96), {"images": [], "annotations": []}
    (tmp_path / "images").mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.jpg"), hands[i].image)
        keypoints = [n for x, y in hands[i].keypoints.tolist() for n in (x, y, 2)]
        value["images"].append({"id": i, "file_name": f"{i}.jpg", "width": 96, "height": 96})
        value["annotations"].append({"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints})
    value["categories"] = [{"id": 1, "name": "hand", "keypoints": list(JOINTS)}]
    (tmp_path / "labels.json").write_text(json.dumps(value))
    cv2.imwrite(str(tmp_path / "other.png"), hands[3].image)
    (tmp_path / "photo.json").write_bytes((tmp_path / "images" / "0.jpg").read_bytes())
    (tmp_path / "record.json").write_bytes((ROOT / "book" / "results" / "claim" / "conv-ops-s1.json").read_bytes())
    (tmp_path / "link.json").symlink_to("images/1.jpg")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict images/0.jpg --json images/1.jpg", "--json images/1.jpg: give a name that ends in .json or .jsonl"),
        ("predict images/0.jpg --json hands", "--json hands: give a name that ends in .json or .jsonl"),
        ("predict images/0.jpg --json photo.json", "--json photo.json: would replace a file"),
        ("predict images/0.jpg --json link.json", "--json link.json: would replace a file"),
        ("predict images/0.jpg --json record.json", "--json record.json: would replace a file"),
        ("predict images/0.jpg --draw other.png", "--draw other.png: would replace a file"),
        ("predict other.png images --draw .", "would replace other.png"),
        ("predict images/0.jpg --draw images/1.jpg", "--draw images/1.jpg: would replace a file"),
        ("evaluate --data coco:labels.json --json labels.json", "--json labels.json: would replace a file"),
        ("evaluate --data synthetic:2 --json other.png", "--json other.png: give a name that ends in"),
        ("compare record.json record.json --json record.json", "--json record.json: would replace a file"),
        ("data show coco:labels.json --split all --out images/0.jpg", "--out images/0.jpg: would replace a file"),
        ("data show coco:labels.json --split all --out other.png", "--out other.png: would replace a file"),
    ],
)
def test_what_this_program_did_not_write_stays(own, quick, monkeypatch, capsys, line, words):
    monkeypatch.chdir(own)
    before = contents(own)
    assert main(line.split()) == 1
    errors = capsys.readouterr().err
    assert words in errors and errors.startswith("error: ") and errors.count("\n") == 1
    assert contents(own) == before


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("predict images --json out.json", "out.json"),
        ("predict images --json out.jsonl", "out.jsonl"),
        ("predict images/0.jpg --draw out.jpg", "out.jpg"),
        ("predict images --draw drawn", "drawn/1.png"),
        ("evaluate --data coco:labels.json --split all --device cpu --json out.json", "out.json"),
        ("evaluate --data coco:labels.json --split all --device cpu --json out.jsonl", "out.jsonl"),
        ("data show coco:labels.json --split all", "coco-all.png"),
        ("data show coco:labels.json --split all --out out.pdf", "out.pdf"),
    ],
)
def test_what_this_program_wrote_is_written_again(own, quick, monkeypatch, line, out):
    monkeypatch.chdir(own)
    for _ in range(2):
        assert main(line.split()) == 0
        written = own / out
        old = written.stat().st_mtime_ns - 10**9
        assert written.stat().st_size > 500
        files.os.utime(written, ns=(old, old))
    assert main(line.split()) == 0 and written.stat().st_mtime_ns > old


def test_an_empty_file_may_be_written_to(own, quick):
    """As `mktemp` makes one."""
    out = own / "out.json"
    out.touch()
    assert main(["predict", str(own / "other.png"), "--json", str(out)]) == 0
    assert len(json.loads(out.read_text())["images"]) == 1


def test_results_are_known_by_their_keys(tmp_path):
    """What `compare` writes is; no record of the book is."""
    file = tmp_path / "c.json"
    files.write_json(file, {"data": "x", "split": "val", "images": 3, "scores": {}, "comparisons": []})
    cli.check_json(str(file))
    records = [path for path in (ROOT / "book" / "results").rglob("*.json") if path.is_file()]
    assert len(records) > 50
    for record in records:
        with pytest.raises(files.OutputError, match="would replace"):
            cli.check_json(str(record))


@pytest.mark.parametrize("end", DRAWN)
def test_a_drawn_picture_is_known_again_and_read_as_any_other(tmp_path, end):
    image = np.full((40, 60, 3), 90, np.uint8)
    drawn, plain = tmp_path / f"drawn{end}", tmp_path / f"plain{end}"
    photos.write_image(drawn, image, drawing=True)
    photos.write_image(plain, image)
    assert files.is_drawing(drawn) and not files.is_drawing(plain)
    found = pictures.read(drawn)
    assert not found.notes and not found.further and np.array_equal(found.image, pictures.read(plain).image)
    cv2.imwrite(str(drawn), cv2.imread(str(drawn)))  # as an editor saves it
    assert not files.is_drawing(drawn)


@pytest.mark.parametrize("end", FILMED)
def test_a_drawn_video_is_known_again_and_read_as_any_other(tmp_path, end):
    path = tmp_path / f"drawn{end}"
    with recording.filming(path, 10) as film:
        for k in range(5):
            film(np.full((64, 96, 3), 40 * k, np.uint8))
    assert files.is_drawing(path)
    assert len(list(Source(path))) == 5
