import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import handpose
from handpose import PoseEstimationNet, crop, detector, files, pipeline, pretrained, skeleton
from handpose.data import DataError, SyntheticHands, pictures
from handpose.train import evaluate


@pytest.fixture(scope="module")
def hp():
    return handpose.HandPose.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def hand():
    return SyntheticHands(split="test")[3]


def test_what_comes_back(hp, hand):
    (found,) = hp(hand.image, boxes=[hand.box])
    assert found.keypoints.shape == (21, 2) and found.keypoints.dtype == np.float32
    assert found.scores.shape == (21,) and (found.scores > 0).all() and (found.scores < 1).all()
    assert np.allclose(found.box, hand.box) and found.score == 1.0


def test_a_letter_is_read_where_there_is_a_reader(hp, hand):
    assert hand.shape == "ok"
    (found,) = hp(hand.image, boxes=[hand.box])
    letter, sure = found.gesture
    assert letter == "9/f" and 0.5 < sure <= 1  # both have thumb and index finger in a circle
    silent = handpose.HandPose(hp.net, hp.size, hp.detector)
    assert silent(hand.image, boxes=[hand.box])[0].gesture is None


def test_several_boxes(hp, hand):
    both = hp(hand.image, boxes=[hand.box, hand.box + 9])
    assert np.allclose(both[0].keypoints, hp(hand.image, boxes=[hand.box])[0].keypoints, atol=1e-2)
    assert np.allclose(both[1].keypoints, hp(hand.image, boxes=[hand.box + 9])[0].keypoints, atol=1e-2)
    assert hp(hand.image, boxes=[]) == []


def test_it_finds_the_hand_by_itself(hp):
    """Rendered hands that no network was trained on: most are found, at little cost in key-points."""
    hands, found, errors = [SyntheticHands(split="val")[i] for i in range(30)], 0, []
    for h in hands:
        first = next(iter(hp(h.image)), None)
        if first and detector.iou(torch.tensor(first.box)[None], torch.tensor(h.box)[None]) > 0.4:
            found += 1
            given = hp(h.image, boxes=[h.box])[0].keypoints
            errors.append([np.median(np.linalg.norm(p - h.keypoints, axis=1)) for p in (first.keypoints, given)])
            assert hp.threshold <= first.score <= 1
    detected, exact = np.median(errors, axis=0)
    assert found >= 22 and detected < 1.6 * exact


def test_two_hands_in_one_picture(hp, hand):
    """Side by side: two hands, each as alone, most confident first."""
    wide = np.concatenate([hand.image, hand.image[:, ::-1]], 1)
    hp = handpose.HandPose(hp.net, hp.size, hp.detector, refine=False)
    found = hp(wide)
    assert len(found) == 2 and found[0].score >= found[1].score
    left, right = sorted(found, key=lambda h: h.box[0])
    assert left.keypoints[:, 0].max() < 256 < right.keypoints[:, 0].min() + 10
    for one in found:
        again = hp(wide, boxes=[one.box])[0]
        assert np.allclose(one.keypoints, again.keypoints, atol=1e-2) and np.allclose(
            one.scores, again.scores, atol=1e-4
        )


def test_without_a_hand_the_list_is_empty(hp):
    ramp = np.linspace(0, 255, 300 * 200 * 3).reshape(300, 200, 3).astype(np.uint8)
    assert hp(np.full((240, 320, 3), 90, np.uint8)) == [] and hp(ramp) == []


def test_threshold(hp, hand):
    strict = handpose.HandPose(hp.net, hp.size, hp.detector, threshold=1.0)
    assert strict(hand.image) == []
    all_boxes = handpose.HandPose(hp.net, hp.size, hp.detector, threshold=0.02)(hand.image)
    assert len(all_boxes) >= len(hp(hand.image)) == 1
    for wrong in (-0.1, 1.5, float("nan"), "0.5", None, [0.5]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            handpose.HandPose(hp.net, hp.size, hp.detector, threshold=wrong)


def turned(sample, degrees):
    """The sample's picture turned clockwise about its middle, and its key-points."""
    size = len(sample.image)
    matrix = crop.affine(((size - 1) / 2,) * 2, size, size, rotation=np.deg2rad(degrees))
    return crop.warp(sample.image, matrix, size), crop.apply(matrix, sample.keypoints)


def correct(keypoints, target):
    """Part of the key-points that are off by less than 0.1 of the box."""
    return (np.linalg.norm(keypoints - target, axis=1) < 0.1 * skeleton.box_side(target)).mean()


@pytest.mark.parametrize("degrees", [-135, -90, 90, 180])
def test_turned_hands_are_refined(hp, degrees):
    """With the refinement pass turned hands are estimated about as well as upright ones, in the picture's pixels."""
    once, shares = handpose.HandPose(hp.net, hp.size, refine=False), []
    for i in range(0, 40, 2):
        image, target = turned(SyntheticHands(split="val")[i], degrees)
        box = skeleton.tight_box(target)
        shares.append([correct(h(image, boxes=[box])[0].keypoints, target) for h in (once, hp)])
    one, refined = np.mean(shares, axis=0)
    assert refined > max(one + 0.015, 0.8)  # of weights that have seen turned hands; others gain more


def test_what_is_refined(hp, hand):
    """Turned hands and unsure ones; of the two passes the one with higher scores stays, each hand on its own."""
    once = handpose.HandPose(hp.net, hp.size, refine=False)
    image, target = turned(hand, 100)
    box, passes = skeleton.tight_box(target), []
    (first,), (refined,) = once(image, boxes=[box]), hp(image, boxes=[box])
    assert refined.scores.mean() > first.scores.mean() and np.array_equal(refined.box, first.box)
    upright, angle = crop.upright_box(first.keypoints, box)
    (again,) = hp(image, boxes=[upright], angles=[angle])
    assert np.allclose(again.keypoints, refined.keypoints, atol=0.02)
    apart = cv2.copyMakeBorder(image, 0, 0, 256, 0, cv2.BORDER_REPLICATE)  # so that its crop shows nothing of the other
    (alone,) = hp(apart, boxes=[box + [256, 0, 256, 0]])  # the same blocks of pixels as beside the other
    assert np.allclose(alone.keypoints - [256, 0], refined.keypoints, atol=1)
    both = hp(np.concatenate([hand.image, apart], 1), boxes=[hand.box, box + [512, 0, 512, 0]])
    assert np.allclose(both[1].keypoints - [256, 0], alone.keypoints, atol=0.5)
    assert np.allclose(both[0].keypoints, once(hand.image, boxes=[hand.box])[0].keypoints, atol=0.5)

    class Counted(torch.nn.Module):
        def __init__(self, scale, shift=0):
            super().__init__()
            self.net, self.scale, self.shift = hp.net, scale, shift

        def forward(self, images):
            passes.append(len(images))
            return [maps * self.scale + self.shift for maps in self.net(images)]

    handpose.HandPose(Counted(1), hp.size)(hand.image, boxes=[hand.box])
    assert passes == [1] and abs(crop.angle_of(hand.keypoints)) < pipeline.TURNED  # upright and sure
    handpose.HandPose(Counted(1), hp.size)(image, boxes=[box, box])
    assert passes == [1, 2, 2]  # all in one batch
    handpose.HandPose(Counted(1), hp.size, refine=False)(image, boxes=[box])
    assert passes == [1, 2, 2, 1]
    handpose.HandPose(Counted(0.1, -3), hp.size)(hand.image, boxes=[hand.box])  # scores near a twentieth
    assert passes == [1, 2, 2, 1, 1, 1]


def test_angles(hp, hand):
    """The crop of a box with an angle is what the upright box of the turned picture shows."""
    image, target = turned(hand, 70)
    upright, angle = crop.upright_box(target)
    (found,) = hp(image, boxes=[upright], angles=[angle])
    assert correct(found.keypoints, target) > 0.8 and np.array_equal(found.box, upright) and found.score == 1.0
    for wrong in ([0.1, 0.2], [np.nan], 0.3, ["left"], [[0.1]]):
        with pytest.raises(ValueError, match="as many finite numbers"):
            hp(image, boxes=[upright], angles=wrong)
    with pytest.raises(ValueError, match="radians, not degrees"):
        hp(image, boxes=[upright], angles=[90])
    with pytest.raises(ValueError, match="give boxes"):
        hp(image, angles=[0.0])
    assert hp(image, boxes=[], angles=[]) == []


def test_without_a_detector_boxes_must_be_given(hp, hand):
    bare = handpose.HandPose(hp.net, hp.size)
    assert len(bare(hand.image, boxes=[hand.box])) == 1
    with pytest.raises(ValueError, match="no detector"):
        bare(hand.image)


def test_the_picture_may_be_large_moved_or_small(hp, hand):
    """The same hand at another size and place gives the same key-points, mapped."""
    x0, y0, x1, y1 = hand.box
    plain = hp(hand.image, boxes=[hand.box])[0].keypoints
    side = max(x1 - x0, y1 - y0)
    large = cv2.resize(hand.image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    big = hp(large, boxes=[(hand.box + 0.5) * 3 - 0.5])[0].keypoints
    assert np.median(np.linalg.norm((big + 0.5) / 3 - 0.5 - plain, axis=1)) < 0.03 * side
    moved = cv2.copyMakeBorder(hand.image, 40, 0, 25, 0, cv2.BORDER_REPLICATE)
    shifted = hp(moved, boxes=[hand.box + [25, 40, 25, 40]])[0].keypoints - [25, 40]
    distance = np.linalg.norm(shifted - plain, axis=1)  # OpenCV rounds to 1/32 pixel when it cuts; a weak peak may jump
    assert np.median(distance) < 0.35 and (distance < 0.7).mean() > 0.85


def test_a_path_with_exif_is_turned(hp, hand, tmp_path):
    turned = np.rot90(hand.image)  # the camera lay on its side; orientation 6 turns it back, clockwise
    done, code = cv2.imencode(".jpg", turned[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    tag = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    raw = code.tobytes()
    (tmp_path / "a.jpg").write_bytes(
        raw[:2] + b"\xff\xe1" + (len(tag) + 8).to_bytes(2, "big") + b"Exif\0\0" + tag + raw[2:]
    )
    found = hp(tmp_path / "a.jpg", boxes=[hand.box])[0].keypoints
    plain = hp(hand.image, boxes=[hand.box])[0].keypoints
    assert np.median(np.linalg.norm(found - plain, axis=1)) < 3


@pytest.mark.parametrize(
    "image",
    [np.zeros((1, 1, 3), np.uint8), np.zeros((5, 100, 3), np.uint8), np.zeros((50, 7), np.uint8),
     np.zeros((50, 50), bool), np.zeros((50, 50, 1), np.uint8), np.zeros((50, 50, 4), np.uint8), np.zeros(50, np.uint8),
     np.zeros((50, 50, 3), np.float32), [[1, 2]], None],
)  # fmt: skip
def test_what_is_no_picture(hp, image):
    with pytest.raises(DataError):
        hp(image)


@pytest.mark.parametrize("boxes", [0, {(1, 2, 60, 70)}, (box for box in [(1, 2, 60, 70)]), (1, 2, 60, 70), np.array(3)])
def test_boxes_that_are_no_list(hp, hand, boxes):
    with pytest.raises(ValueError, match=r"^boxes is a list of boxes, .* boxes=\[\(x0, y0, x1, y1\)\]$"):
        hp(hand.image, boxes=boxes)
    with pytest.raises(ValueError, match="^boxes is a list of boxes"):
        hp(Image.fromarray(hand.image), boxes=boxes)


def test_boxes_may_be_an_array_or_a_tensor(hp, hand):
    right = hp(hand.image, boxes=[hand.box])
    same(hp(hand.image, boxes=hand.box[None]), right)
    same(hp(hand.image, boxes=torch.from_numpy(hand.box[None])), right)


def same(found, right):
    assert len(found) == len(right) > 0
    for one, other in zip(found, right, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints) and np.array_equal(one.box, other.box)


def test_pictures_of_pillow_and_grey_arrays(hp, hand):
    right = hp(hand.image)
    same(hp(Image.fromarray(hand.image)), right)
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(hand.image)))
    lying.getexif()[0x0112] = 6
    same(hp(lying), right)
    assert lying.getexif()[0x0112] == 6  # the caller's picture is left as it was
    clear = Image.fromarray(np.dstack([hand.image, np.full(hand.image.shape[:2], 255, np.uint8)]))
    same(hp(clear), right)
    grey = cv2.cvtColor(hand.image, cv2.COLOR_RGB2GRAY)
    threefold = hp(np.dstack([grey] * 3), boxes=[hand.box])
    same(hp(grey, boxes=[hand.box]), threefold)
    same(hp(grey.view(np.matrix), boxes=[hand.box]), threefold)  # which stays flat whatever is asked of it
    same(hp(Image.fromarray(grey), boxes=[hand.box]), threefold)


def test_a_huge_photograph_gives_pixels_of_the_photograph(hp, hand, tmp_path, monkeypatch):
    large = cv2.resize(hand.image, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(large).save(tmp_path / "a.jpg", quality=95)
    box = (hand.box + 0.5) * 4 - 0.5
    right, found = hp(tmp_path / "a.jpg", boxes=[box])[0], hp(tmp_path / "a.jpg")[0]
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000_000)
    assert pictures.read(tmp_path / "a.jpg").image.shape == (512, 512, 3)
    shrunk, looked = hp(tmp_path / "a.jpg", boxes=[box])[0], hp(tmp_path / "a.jpg")[0]
    side = (box[2:] - box[:2]).max()
    for one, other in ((shrunk, right), (looked, found)):
        assert np.median(np.linalg.norm(one.keypoints - other.keypoints, axis=1)) < 0.01 * side
        assert one.keypoints.dtype == one.box.dtype == np.float32
    assert np.allclose(shrunk.box, box, atol=1e-3)
    with pytest.raises(ValueError, match=r"box 2000,0,2010,9 lies outside the picture, which is 1024 wide"):
        hp(tmp_path / "a.jpg", boxes=[(2000, 0, 2010, 9)])
    with pytest.raises(ValueError, match=r"boxes=\[\(x0"):
        hp(tmp_path / "a.jpg", boxes=(0, 0, 50, 50))


def test_a_jpeg_without_end_marker_warns(hp, hand, tmp_path):
    Image.fromarray(hand.image).save(tmp_path / "a.jpg")
    right, data = hp(tmp_path / "a.jpg"), (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[:-2])
    with pytest.warns(UserWarning, match=r"b\.jpg: the JPEG has no end marker"):
        same(hp(tmp_path / "b.jpg"), right)


@pytest.mark.parametrize("shape", [(10, 10_000), (10_000, 10), (8, 8), (3000, 2000)])
def test_odd_shapes(hp, shape):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8), shape[::-1])
    everything = handpose.HandPose(hp.net, hp.size, hp.detector, threshold=0.0)
    hands = everything(image)
    assert len(hands) > 0 and all(np.isfinite(h.keypoints).all() and np.isfinite(h.box).all() for h in hands)


@pytest.mark.parametrize(
    "box", [(300, 300, 400, 400), (10, 10, 10, 50), (50, 10, 20, 60), (float("nan"), 0, 9, 9), (0, 0, 9), "box"]
)
def test_bad_boxes(hp, hand, box):
    with pytest.raises(ValueError, match="box"):
        hp(hand.image, boxes=[box])


def test_one_box_must_stand_in_a_list(hp, hand):
    with pytest.raises(ValueError, match=r"boxes=\[\(x0"):
        hp(hand.image, boxes=(10, 20, 100, 120))


def test_box_partly_outside(hp, hand):
    assert np.isfinite(hp(hand.image, boxes=[(-50, -20, 120, 100)])[0].keypoints).all()


# Weights


def test_weights_round_trip(tmp_path):
    torch.manual_seed(0)
    net = PoseEstimationNet(width=0.25, heads=4, attention=(10, 14), stages=3).eval()
    pretrained.save(tmp_path / "w.safetensors", net, 64)
    again, size = pretrained.load(tmp_path / "w.safetensors")
    assert size == 64 and again.options == net.options and not again.training
    images = torch.rand(1, 3, 64, 64)
    for a, b in zip(net(images), again(images), strict=True):
        assert torch.allclose(a, b, atol=0.05)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_float16_costs_nothing(hp):
    """PCK of the bundled weights against the same values moved by half a float16 step at random."""
    data = evaluate.crop_dataset(SyntheticHands(split="val", length=60), hp.size)
    stored = evaluate.evaluate(hp.net, data, intervals=False)["metrics"]["pck_bone"]
    other, _ = pretrained.load()
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in other.parameters():
            if p.ndim >= 2:
                p *= 1 + (torch.rand(p.shape, generator=g) - 0.5) * 2**-10
    moved = evaluate.evaluate(other, data, intervals=False)["metrics"]["pck_bone"]
    assert all(abs(stored[t] - moved[t]) < 0.005 for t in stored)  # 1,260 joints: one joint is 0.0008


@pytest.mark.parametrize(
    "kind",
    ["missing", "empty", "text", "truncated", "pickle", "damaged", "no header", "another network", "another shape"],
)
def test_weights_that_cannot_be_used(tmp_path, kind):
    file = tmp_path / "w.safetensors"
    complete = pretrained.bundled().read_bytes()
    about = {"format": pretrained.form(PoseEstimationNet), "size": 64, "options": {"attention": [10]}}
    header = {"handpose": json.dumps(about)}
    if kind == "empty":
        file.write_bytes(b"")
    elif kind == "text":
        file.write_text("not weights")
    elif kind == "truncated":
        file.write_bytes(complete[: len(complete) // 2])
    elif kind == "pickle":
        torch.save({"a": torch.zeros(2)}, file)
    elif kind == "damaged":
        file.write_bytes(complete[:-500] + bytes(200) + complete[-300:])
    elif kind == "no header":
        save_file({"a": torch.zeros(2)}, file)
    elif kind == "another network":
        save_file({"a": torch.zeros(2)}, file, header)
    elif kind == "another shape":
        net = PoseEstimationNet(width=0.25, heads=4)
        save_file(net.state_dict(), file, header)
    with pytest.raises(pretrained.WeightsError) as error:
        pretrained.load(file)
    assert "w.safetensors" in str(error.value) and "\n" not in str(error.value)


def test_weights_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(files.OutputError, match="cannot be written"):
        pretrained.save(tmp_path / "file" / "w.safetensors", PoseEstimationNet(width=0.125, heads=2), 64)


def test_unknown_device():
    with pytest.raises(ValueError, match="cannot be used"):
        handpose.HandPose.from_pretrained(device="gpu7")


# The evaluation path and the prediction path are one


def test_evaluation_predicts_what_the_pipeline_predicts(hp):
    hands, once = SyntheticHands(split="val", length=4), handpose.HandPose(hp.net, hp.size, refine=False)
    predicted = evaluate.predict(hp.net, evaluate.crop_dataset(hands, hp.size))[-1]
    for i, keypoints in enumerate(predicted):
        assert np.allclose(keypoints, once(hands[i].image, boxes=[hands[i].box])[0].keypoints, atol=0.02)


def test_perfect_maps_score_nearly_one():
    """Targets in place of predictions: what is lost is decoding and the way through the crop."""
    from handpose import scoremap

    data = evaluate.crop_dataset(SyntheticHands(split="val", length=20), 128)

    class Oracle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p, self.at = torch.nn.Parameter(torch.zeros(1)), 0

        def forward(self, images):
            rows = slice(self.at, self.at + len(images))
            self.at += len(images)
            keypoints = np.stack(
                [crop.apply(m, p) for m, p in zip(data.matrices[rows], data.keypoints[rows], strict=True)]
            )
            cells = scoremap.to_cells(torch.from_numpy(keypoints))
            maps = scoremap.encode(cells, torch.from_numpy(data.visible[rows]), 16, scoremap.sigma_in_cells(16))
            return [torch.logit(maps.double(), eps=1e-12).float()]

    found = evaluate.evaluate(Oracle(), data, intervals=False)["metrics"]
    assert found["pck_bone"]["0.15"] == 1.0 and found["epe_mean_px"] < 0.05


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "'' is not the name of a file"),
        ("a\0b", r"'a\\x00b' is not the name"),
        ("https://x.org/a.jpg", "is an address"),
    ],
)
def test_what_is_no_name_of_a_file(hp, name, words):
    with pytest.raises(DataError, match=words):
        hp(name)
