"""``python -m handpose data``: what there is, whether it is whole, and what it looks like."""

import re

import cv2
import numpy as np
import pytest

from handpose import __main__ as command
from handpose import data
from handpose.cli.data import OWN
from handpose.data import catalogue
from handpose.data.synthetic import SyntheticHands


@pytest.fixture
def folder(tmp_path):
    """Four rendered hands in the hand-keypoints layout."""
    root = tmp_path / "hands"
    for i in range(4):
        sample = SyntheticHands(seed=1, size=96)[i]
        split, name = ("train", f"IMG_{i + 1:08d}") if i < 3 else ("val", "IMG_00001600")
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "images" / split / f"{name}.jpg"), sample.image[..., ::-1])
        at = (sample.keypoints + 0.5) / 96
        numbers = [0.5, 0.5, 0.9, 0.9, *np.column_stack([at, 2 * np.ones(21)]).ravel()]
        (root / "labels" / split / f"{name}.txt").write_text("0 " + " ".join(f"{n:.5f}" for n in numbers))
    return root


def test_every_set_is_listed_with_terms_and_a_way_to_get_it(capsys, monkeypatch, tmp_path):
    (tmp_path / "massey-asl").mkdir()
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert command.main(["data", "list"]) == 0
    stdout = capsys.readouterr().out
    for name in data.SOURCES:
        assert f"\n{name:16}" in "\n" + stdout
    for entry in catalogue.SETS.values():
        assert entry.licence in stdout
    assert stdout.count("terms:") == len(catalogue.SETS) and f"here: {tmp_path / 'massey-asl'}" in stdout
    assert "data_scripts/download.py rhd" in stdout
    monkeypatch.delenv("HANDPOSE_DATA")
    assert command.main(["data", "list"]) == 0 and "HANDPOSE_DATA is not set" in capsys.readouterr().out


def test_the_catalogue_and_the_readers_know_the_same_sets():
    assert set(catalogue.SETS) | set(OWN) == set(data.SOURCES)


def test_a_folder_is_counted_and_opened(folder, capsys):
    assert command.main(["data", "check", f"hand-keypoints:{folder}"]) == 0
    stdout = capsys.readouterr().out
    assert "images/train" in stdout and "4 picture files" in stdout and "split all with 4 samples" in stdout


def test_the_first_broken_file_is_named(folder, capsys):
    for name in ("IMG_00000003.jpg", "IMG_00000002.jpg"):
        file = folder / "images" / "train" / name
        file.write_bytes(file.read_bytes()[:300])
    assert command.main(["data", "check", f"hand-keypoints:{folder}"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "IMG_00000002.jpg" in line and "cut off" in line


def test_what_is_missing_of_a_published_set_is_counted(tmp_path, capsys):
    (tmp_path / "images" / "B1Random").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images" / "B1Random" / "BB_left_0.png"), np.zeros((480, 640, 3), np.uint8))
    assert command.main(["data", "check", f"stb:{tmp_path}"]) == 1  # and there are no labels
    captured = capsys.readouterr()
    for counted in (r"images/B1Random +1 of 6,000", r"images/B6Random +0 of 6,000"):
        assert re.search(counted, captured.out)
    assert "no labels" in captured.err


def test_a_missing_label_is_named(folder, capsys):
    (folder / "labels" / "val" / "IMG_00001600.txt").unlink()
    assert command.main(["data", "check", f"hand-keypoints:{folder}"]) == 1
    assert "IMG_00001600.txt: no label" in capsys.readouterr().err


def test_a_sheet_shows_the_labels(folder, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert command.main(["data", "show", f"hand-keypoints:{folder}", "--split", "all", "--out", str(out)]) == 0
    sheet = cv2.imread(str(out))
    assert sheet.shape[1] > 600 and sheet.std() > 20
    colourful = (sheet.max(2).astype(int) - sheet.min(2) > 120).mean()
    assert colourful > 0.005  # bones in the fingers' colours
    assert "4 of 4 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["check", "nothing:x"], "unknown data set 'nothing'"),
        (["check", "stb:/nowhere"], "no such folder"),
        (["check", "synthetic"], "no published form"),
        (["show", "stb:/nowhere"], "no such folder"),
        (["show", "synthetic:2", "--number", "0"], "at least one picture"),
        (["show", "synthetic:2", "--out", "sheet.txt"], "ends in .png"),
        (["show", "synthetic:2", "--split", "nothing"], "no split"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(call, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["data", *call]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line and not list(tmp_path.iterdir())
