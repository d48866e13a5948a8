"""One confidence of detector and key-points: its fit, its floor, its file, and what the pipeline does with it."""

import hashlib
import json

import numpy as np
import pytest

from handpose import arrays, confidence, pretrained, tiles
from handpose.confidence import Confidence


def drawn(number=4000, seed=0):
    """Detections whose chance to be right is a known logistic function of both numbers."""
    rng = np.random.default_rng(seed)
    detected, keypoints = confidence.sigmoid(rng.normal(0, 2, number)), rng.uniform(0.1, 0.8, number)
    true = Confidence(-4, 0.8, 9)
    return detected, keypoints, rng.random(number) < true(detected, keypoints), true


def test_the_fit_finds_the_numbers_that_made_the_data():
    detected, keypoints, right, true = drawn()
    found = confidence.fit(detected, keypoints, right)
    for key in ("bias", "detector", "keypoints"):
        assert getattr(found, key) == pytest.approx(getattr(true, key), rel=0.15)
    assert found.usual == pytest.approx(np.quantile(keypoints[right], 0.2))
    shown = confidence.reliability(found(detected, keypoints), right)
    alone = confidence.reliability(found.of_keypoints(keypoints), right)
    assert shown["error"] < 0.03 and alone["error"] < 0.03 and shown["brier"] < alone["brier"]
    assert sum(row[0] for row in shown["bins"]) == len(right)


def test_separable_classes_have_a_fit():
    found = confidence.fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.2, 0.3, 0.6, 0.7]), [False, False, True, True])
    assert np.isfinite([found.bias, found.detector, found.keypoints]).all() and found(0.9, 0.7) > 0.9 > 0.1 > found(
        0.1, 0.2
    )
    with pytest.raises(ValueError, match="2 of 2 detections are hands"):
        confidence.fit(np.array([0.5, 0.6]), np.array([0.5, 0.6]), [True, True])


def test_reliability_by_hand():
    found = confidence.reliability(np.array([0.05, 0.05, 0.95, 1.0]), np.array([False, True, True, True]))
    assert (
        found["bins"][0] == [2, 0.05, 0.5]
        and found["bins"][9] == [2, 0.975, 1.0]
        and found["bins"][5] == [0, None, None]
    )
    assert found["error"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.025)
    assert found["brier"] == pytest.approx((0.05**2 + 0.95**2 + 0.05**2) / 4, abs=1e-4)


def test_the_floor_hides_what_usual_key_points_could_not_save():
    fitted = Confidence(-4, 0.8, 9, usual=0.7)
    for threshold in (0.1, 0.5, 0.9):
        floor = fitted.floor(threshold)
        assert fitted(floor, 0.7) == pytest.approx(threshold) and fitted(floor * 0.9, 0.7) < threshold
    assert fitted.floor(0.0) == 0 and fitted.floor(1.0) == 1


def test_the_ends_of_the_scale():
    assert confidence.DETECTOR_ALONE(np.array([0.0, 0.3, 1.0]), np.zeros(3)) == pytest.approx([0, 0.3, 1])
    assert np.isfinite(confidence.sigmoid(np.array([-1e9, 1e9]))).all()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"bias": NaN}', "negative"])
def test_files_that_hold_no_confidence(tmp_path, text):
    file = tmp_path / "c.json"
    about = {"bias": 0, "detector": -1, "keypoints": 1, "usual": 1, "alone": [0, 1]}
    if text is not None:
        file.write_text(json.dumps(about) if text == "negative" else text)
    with pytest.raises(pretrained.WeightsError, match="calibrate.py"):
        confidence.read(file)


def test_the_bundled_one_belongs_to_the_bundled_networks():
    about = json.loads(pretrained.bundled().with_name("confidence.json").read_text("utf-8"))
    for kind, name in (("detector", pretrained.DETECTOR), ("pose", pretrained.DEFAULT)):
        assert about["weights_sha256"][kind] == hashlib.sha256(pretrained.bundled(name).read_bytes()).hexdigest(), (
            "the weights have changed: run data_scripts/calibrate.py"
        )
    assert confidence.bundled().keypoints > 0 and about["calibration"]["both"]["error"] < 0.1


@pytest.mark.parametrize("shape", [(480, 640), (641, 333), (8, 9), (9, 4000)])
def test_quarters_cover_the_picture_and_overlap(shape):
    height, width = shape
    covered = np.zeros(shape, int)
    for x0, y0, x1, y1 in tiles.quarters(height, width):
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        covered[y0:y1, x0:x1] += 1
    assert covered.min() == 1 and covered[height // 2, width // 2] == 4


def test_boxes_of_tiles_are_mapped_merged_and_not_cut_off(monkeypatch):
    """Tiles of three fifths of a 400 x 200 picture are 240 x 120 and begin at 0 or 160, and at 0 or 80."""
    monkeypatch.setattr(tiles, "PART", 0.6)
    boxes = [
        (
            [[170, 85, 200, 110], [0, 0, 50, 50], [200, 20, 239.5, 60]],
            [0.8, 0.7, 0.9],
        ),  # the last ends at the inner edge
        ([[10, 85, 40, 110]], [0.6]),  # the first of the first tile again
        ([], []),
        (
            [[100, 50, 140, 119.5], [1, 50, 30, 70]],
            [0.5, 0.4],
        ),  # the picture's own edge cuts nothing off; the inner does
    ]
    given = [(np.array(b, np.float32).reshape(-1, 4), np.array(s, np.float32)) for b, s in boxes]
    monkeypatch.setattr(arrays, "detect", lambda net, images, **_: [given[k] for k in range(len(images))])
    found, scores = tiles.detect(None, np.zeros((200, 400, 3), np.uint8), threshold=0.3)
    assert scores == pytest.approx([0.8, 0.7, 0.5])
    assert found == pytest.approx(np.array([[170, 85, 200, 110], [0, 0, 50, 50], [260, 130, 300, 199.5]]))
