"""The reader of EgoHands, on small folders made by hand in its layout."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from handpose import data
from handpose.data import DataError, scenes
from handpose.data.readers.egohands import EgoHands, recording

HANDS = ("myleft", "myright", "yourleft", "yourright")
OWN = np.array([[11.0, 21.0], [31.0, 21.0], [31.0, 41.0], [11.0, 41.0]])  # counted from 1
OTHER = np.array([[101.0, 61.0], [121.0, 51.0], [141.0, 71.0]])
NONE = np.zeros((0, 0))


def make(root, videos, cells=False, frames=3):
    """Frame 0 shows no hand, frame 1 one, frame 2 two."""
    shown = [(NONE,) * 4, (NONE, OWN, NONE, NONE), (NONE, OWN, OTHER, NONE)][:frames]
    for video in videos:
        folder = root / "_LABELLED_SAMPLES" / video
        folder.mkdir(parents=True)
        # Names as published: numbers with gaps. Written in another order than they are sorted in.
        for number, name in ((2, "frame_1500.jpg"), (0, "frame_0011.jpg"), (1, "frame_0100.jpg")):
            if number < frames:
                cv2.imwrite(str(folder / name), np.full((90, 160, 3), 60 * number, np.uint8))
        if cells:
            table = np.empty((frames, 4), object)
            for row, outlines in zip(table, shown, strict=True):
                row[:] = outlines
        else:
            table = np.empty((1, frames), [(name, object) for name in HANDS])
            for i, outlines in enumerate(shown):
                table[0, i] = outlines
        savemat(folder / "polygons.mat", {"polygons": table})
    return root


@pytest.mark.parametrize("cells", [False, True])
def test_boxes_and_masks(tmp_path, cells):
    frames = data.open(f"egohands:{make(tmp_path, ['CARDS_OFFICE_B_T'], cells)}", "all")
    assert len(frames) == 3 and frames.boxes(0).shape == (0, 4)
    assert np.allclose(frames.boxes(1), [[10, 20, 30, 40]])  # pixels from 0
    assert np.allclose(frames.boxes(2), [[10, 20, 30, 40], [100, 50, 140, 70]])
    for i in range(3):
        sample = frames[i]
        assert abs(int(sample.image.mean()) - 60 * i) < 3  # frames in the order of their names
        assert not sample.visible.any() and sample.group == "CARDS_OFFICE_B_T"
        assert bool(sample.mask.any()) == (i > 0)
    assert frames[2].mask[30, 20] == 255 and frames[2].mask[62, 120] == 255 and frames[2].mask[80, 80] == 0
    assert frames[1].id == "CARDS_OFFICE_B_T/frame_0100.jpg"
    images = scenes.labelled(frames)
    assert [len(p.boxes) for p in images] == [0, 1, 2]


def test_both_views_of_a_game_are_on_one_side(tmp_path):
    games = [f"{a}_{p}" for a in ("CARDS", "CHESS", "JENGA", "PUZZLE") for p in ("COURTYARD", "LIVINGROOM", "OFFICE")]
    pairs = [("B_T", "T_B"), ("H_S", "S_H")]
    make(tmp_path, [f"{game}_{view}" for game in games for pair in pairs for view in pair], frames=1)
    groups = {s: {split[i].group for i in range(len(split))} for s in ("train", "val", "all")
              for split in [EgoHands(tmp_path, s)]}  # fmt: skip
    assert len(groups["train"]) == 20 and len(groups["val"]) == 4 and len(groups["all"]) == 24
    assert not groups["train"] & groups["val"]
    assert (len(EgoHands(tmp_path, "train")), len(EgoHands(tmp_path, "val"))) == (40, 8)
    assert recording("CHESS_OFFICE_T_B") == recording("CHESS_OFFICE_B_T") == "CHESS_OFFICE_B_T"
    assert len(EgoHands(tmp_path / "_LABELLED_SAMPLES", "all")) == 48


@pytest.mark.parametrize("kind", ["no folder", "no videos", "no mat", "torn", "no variable", "wrong shape", "frames"])
def test_what_cannot_be_used(tmp_path, kind):
    root = make(tmp_path, [] if kind == "no videos" else ["CARDS_OFFICE_B_T"])
    mat = root / "_LABELLED_SAMPLES" / "CARDS_OFFICE_B_T" / "polygons.mat"
    expected = "polygons.mat"
    if kind == "no folder":
        root, expected = root / "none", "no such folder"
    elif kind == "no videos":
        expected = "no videos"
    elif kind == "no mat":
        mat.unlink()
    elif kind == "torn":
        mat.write_bytes(mat.read_bytes()[:150])
    elif kind == "no variable":
        savemat(mat, {"handPara": np.zeros(3)})
    elif kind == "wrong shape":
        savemat(mat, {"polygons": np.array([[np.zeros((4, 3))] * 4] * 3 + [[None] * 4], object)[:3]})
    elif kind == "frames":
        (mat.parent / "frame_0011.jpg").unlink()
        expected = "2 frames, but polygons.mat describes 3"
    with pytest.raises(DataError) as error:
        EgoHands(root, "all")
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_unknown_split(tmp_path):
    with pytest.raises(DataError, match="no split 'test'"):
        EgoHands(make(tmp_path, ["CARDS_OFFICE_B_T"]), "test")
