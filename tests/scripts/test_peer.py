"""Beside a production tracker: the scores, by hands that are moved on purpose, and both halves, with a stand-in for
MediaPipe that has its interface and answers what the test says."""

import json
import sys

import cv2
import numpy as np
import pytest

from handpose.data import SyntheticHands, scenes
from handpose.detector import keypoints_to_box
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import peer  # noqa: E402
import peer_scores as scores  # noqa: E402

HANDS = SyntheticHands(split="test", length=8)
#: A stand-in: one hand a picture, its wrist at a quarter of the width and half of the height, the others around.
STAND_IN = """
from types import SimpleNamespace as N
__version__ = "0.0"
class Hands:
    def __init__(self, static_image_mode, max_num_hands, model_complexity):
        self.complexity = model_complexity
    def process(self, image):
        if not image.any():
            return N(multi_hand_landmarks=None)
        marks = [N(x=0.25 + 0.01 * j, y=0.5 + 0.25 * self.complexity) for j in range(21)]
        return N(multi_hand_landmarks=[N(landmark=marks)])
solutions = N(hands=N(Hands=Hands))
"""


@pytest.fixture
def python(tmp_path, monkeypatch):
    """An interpreter that has the stand-in."""
    (tmp_path / "mediapipe").mkdir()
    (tmp_path / "mediapipe" / "__init__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return sys.executable


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["peer.py", *map(str, arguments)])
    return peer.main()


def images():
    return scores.read(HANDS)


def answers(given, move=0.0):
    """What an engine says that is off by `move` of the box's longer side along x."""
    sides = [np.ptp(p.boxes.reshape(-1, 2, 2), axis=1).max() for p in given]
    return [p.keypoints + [move * side, 0] for p, side in zip(given, sides, strict=True)]


def test_each_labelled_hand_has_one_found_one_at_most():
    true = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    assert scores.match(true[::-1], true).tolist() == [1, 0]
    assert scores.match(true[:1], true).tolist() == [0, -1]
    assert scores.match(np.zeros((0, 4), np.float32), true).tolist() == [-1, -1]
    twice = np.array([[0, 0, 10, 10], [1, 0, 11, 10]], np.float32)  # the second is another find of the same hand
    assert scores.match(twice, true[:1]).tolist() == [0]
    half = np.array([[0, 0, 10, 4.9], [20, 0, 30, 5.1]], np.float32)
    assert scores.match(half, true).tolist() == [-1, 1]


def test_a_hand_that_was_not_found_is_wrong_in_all_its_key_points():
    given = images()
    exact, missing = answers(given), answers(given)
    missing[0] = np.zeros((0, 21, 2), np.float32)
    missing[1] = missing[1] + 1000  # somewhere else
    result = scores.score(given, {"ours": exact, "lite": missing}, {"ours": np.concatenate(exact)})
    assert result["hands"] == len(given) == 8
    ours, lite = result["engines"]["ours"], result["engines"]["lite"]
    assert ours["found"] == 1 and ours["end_to_end"] == ours["box_given"] == {"pck_bone_0.2": 1.0, "pck_box_0.1": 1.0}
    counts = np.array([p.visible.sum() for p in given])
    right = round(counts[2:].sum() / counts.sum(), 4)
    assert lite == {"found": 0.75, "end_to_end": {"pck_bone_0.2": right, "pck_box_0.1": right}}


def test_an_error_is_measured_in_s_and_in_the_box():
    given = images()
    result = scores.score(given, {"ours": answers(given, 0.09), "lite": answers(given, 0.11)}, {})["engines"]
    assert result["ours"]["end_to_end"]["pck_box_0.1"] == 1 and result["lite"]["end_to_end"]["pck_box_0.1"] == 0
    assert result["ours"]["end_to_end"]["pck_bone_0.2"] < 0.2  # 0.09 of the box is mostly more than 0.2 of s
    assert result["ours"]["found"] == result["lite"]["found"] == 1 and "box_given" not in result["ours"]


def test_a_difference_has_the_sign_of_ours_minus_theirs_and_needs_groups():
    given = images()
    engines = {"ours": answers(given, 0.2), "lite": answers(given)}
    assert "difference" not in scores.score(given, engines, {})  # eight hands in a row: one group
    for i, image in enumerate(given):
        image.group, image.part = f"room {i}", "AB"[i % 2]
    result = scores.score(given, engines, {})
    assert result["difference"]["lite"]["pck_box_0.1"] == {"difference": -1.0, "interval": [-1.0, -1.0]}
    assert [result["parts"][part]["hands"] for part in "AB"] == [4, 4]


@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_labels_turn_with_their_picture(degrees):
    given = images()[0]
    new = scores.turned(given, degrees)
    joint = int(np.flatnonzero(given.visible[0])[0])
    old_at, new_at = (p.keypoints[0, joint].round().astype(int) for p in (given, new))
    before, after = (
        p.image[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1)) for p, (x, y) in ((given, old_at), (new, new_at))
    )
    assert np.abs(before - after).max() < 20  # the same spot of skin, sampled anew
    if degrees == 180:
        far = np.array(given.image.shape[1::-1]) - 1
        assert np.allclose(new.keypoints, far - given.keypoints, atol=0.01)


def test_a_box_drawn_by_a_person_is_met_by_the_flesh_around_the_key_points():
    hand = images()[0]
    drawn = scenes.Picture(hand.image, keypoints_to_box(hand.keypoints, hand.visible), "", "")
    assert scores.in_drawn_boxes([drawn, drawn], [hand.keypoints, hand.keypoints + 1000], keypoints_to_box) == 0.5


def test_hands_of_the_other_half_come_back_in_pixels(python):
    image = np.full((60, 100, 3), 200, np.uint8)
    nothing = np.zeros_like(image)
    answer = peer.MediaPipe(python, 0)([image, nothing, image[:30]])
    assert [len(keypoints) for keypoints in answer.keypoints] == [1, 0, 1] and len(answer.seconds) == 3
    assert np.allclose(answer.keypoints[0][0, 0], [24.5, 29.5]) and np.allclose(answer.keypoints[2][0, 0], [24.5, 14.5])
    followed = peer.MediaPipe(python, 1)([image] * 4, hands=1, clip=2)
    assert np.allclose(followed.keypoints[3][0, 0], [24.5, 44.5])
    with pytest.raises(ValueError, match="invalid choice"):
        peer.MediaPipe(python, 7)([image])


def test_without_the_peer_ours_is_measured_alone(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peer, "SETS", (("synthetic:4", "test", "exact"),))
    file = tmp_path / "peer.json"
    assert call(monkeypatch, "--only", "synthetic", "--json", file) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line == "MediaPipe is not measured (--peer-python is not given); ours alone"
    result = json.loads(file.read_text())["results"]["synthetic/test"]
    assert list(result["engines"]) == ["ours"] and result["hands"] == 4 and result["labels"] == "exact"
    assert result["engines"]["ours"]["box_given"]["pck_box_0.1"] > 0.3
    monkeypatch.setenv("PYTHONPATH", "")
    assert call(monkeypatch, "--only", "none", "--peer-python", tmp_path / "python") == 0
    assert "No such file or directory); ours alone, and no record without --json" in capsys.readouterr().out
    peer_found, why = peer.about_peer(sys.executable)
    assert peer_found == {} and "No module named 'mediapipe'" in why


def test_one_measurement_alone_keeps_the_others_of_the_same_weights(monkeypatch, tmp_path, python, capsys):
    monkeypatch.setattr(peer, "SETS", (("synthetic:3", "test", "exact"),))
    monkeypatch.setattr(peer, "FRAMES", 3)
    monkeypatch.setattr(peer, "CLIPS", 1)
    file, call_speed = tmp_path / "peer.json", peer.speed
    monkeypatch.setattr(
        peer, "speed", lambda engines, *_, **options: call_speed(engines, "synthetic:3", "test", **options)
    )
    more = "--json", file, "--peer-python", python
    assert call(monkeypatch, "--only", "synthetic", *more) == 0
    assert call(monkeypatch, "--only", "speed", "--busy", "--threads", "1", *more) == 0
    record = json.loads(file.read_text())
    assert record["peer"]["mediapipe"] == "0.0" and set(record["results"]) == {"synthetic/test", "speed"}
    assert record["results"]["speed"]["provisional"] and record["results"]["speed"]["threads"] == 1
    for engine in ("ours", "lite", "full"):
        for kind in record["results"]["speed"]["engines"][engine].values():
            assert isinstance(kind, float) or 0 < kind["median_ms"] <= kind["p90_ms"]
    record["weights"]["laptop"] = "another"
    file.write_text(json.dumps(record))
    assert call(monkeypatch, "--only", "speed", *more) == 1
    assert "was measured with other weights; measure all anew, without --only" in capsys.readouterr().err


def test_everyday_pictures_in_which_a_hand_is_seen(monkeypatch, tmp_path, python):
    data = tmp_path / "skimage" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("__version__ = '0.0'")
    for name, value in {"black.png": 0, "white.jpg": 255, "camera.png": 255}.items():
        assert cv2.imwrite(str(data / name), np.full((64, 64, 3), value, np.uint8))
    file = tmp_path / "peer.json"
    assert call(monkeypatch, "--only", "everyday", "--json", file, "--peer-python", python) == 0
    result = json.loads(file.read_text())["results"]["everyday"]
    assert result["scikit-image"] == "0.0" and result["pictures"] == ["black.png", "white.jpg"]
    assert result["with_a_hand"] == {"ours": [], "lite": ["white.jpg"], "full": ["white.jpg"]}


def test_photographs_that_are_not_there_are_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HANDPOSE_DATA", str(tmp_path))
    assert call(monkeypatch, "--only", "wild/val") == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_the_record_of_the_book_is_of_both():
    record = json.loads(peer.RECORD.read_text(encoding="utf-8"))
    names = {f"{source.partition(':')[0]}/{split}" for source, split, _ in peer.SETS}
    assert (
        names | {"turned", "drawn boxes", "empty", "everyday", "speed"}
        == set(record["results"])
        == set(record["commits"])
    )
    for name in names:
        for row in record["results"][name]["engines"].values():
            assert 0 <= row["end_to_end"]["pck_box_0.1"] <= row["found"] <= 1
