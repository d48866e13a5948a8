"""Each function of the page against the function of the same name in Python, on the same numbers."""

import base64

import cv2
import numpy as np
import pytest
import torch

from handpose import confidence, crop, detector, gesturenet, scoremap, skeleton, tiles
from handpose.apply import tracking
from handpose.pipeline import Hand
from tests.live.conftest import sent, sent_image

CROP = 128


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def blurred(rng, height: int, width: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 with structure of a few pixels."""
    coarse = rng.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def hand(rng, scale: float = 60, at: tuple[float, float] = (100, 90)) -> np.ndarray:
    return (rng.normal(size=(21, 2)) * scale / 2 + at).astype(np.float32)


def check_pixels(found: str, wanted: np.ndarray) -> None:
    """The page rounds as OpenCV with fused multiplication; on other processors few numbers differ by one."""
    pixels = np.frombuffer(base64.b64decode(found), np.uint8)
    apart = np.abs(pixels.reshape(wanted.shape) - wanted.astype(int))
    assert apart.max() <= 1 and (apart > 0).mean() < 0.004


@pytest.mark.parametrize(
    "height, width", [(256, 256), (300, 400), (540, 960), (512, 1024), (100, 80), (37, 200), (768, 768)]
)
def test_pixels_of_crops_and_of_the_letterbox(modules, rng, height, width):
    image, side = blurred(rng, height, width), min(height, width)
    views, wanted = [], []
    for k, part in enumerate((0.2, 0.5, 0.9)):
        middle, half = rng.uniform(0, (width, height)), part * side / 2 * np.array([1, 0.8])
        box = np.concatenate([middle - half, middle + half]).astype(np.float32)
        views.append({"box": box.tolist(), "angle": 2.0 * k - 2})
        wanted.append(crop.crop_box(image, box, CROP, angle=views[-1]["angle"]))
    found = modules.evaluate(
        """([image, views, size]) => views.map(({box, angle}) => {
            const {image: pixels, matrix} = modules.crop.crop_box(rgba(image), box, size, angle);
            return {pixels: rgb(pixels), matrix}; })""",
        [sent_image(image), views, CROP],
    )
    for one, other in zip(found, wanted, strict=True):
        assert np.allclose(one["matrix"], other.matrix, atol=1e-9)
        check_pixels(one["pixels"], other.image)
    small, factor = modules.evaluate(
        """(image) => { const [pixels, factor] = modules.crop.letterbox(rgba(image), 256);
            return [rgb(pixels), factor]; }""",
        sent_image(image),
    )
    wanted, wanted_factor = crop.letterbox(image, 256)
    assert factor == wanted_factor
    check_pixels(small, wanted)


def test_maps_boxes_and_angles(modules, rng):
    keypoints, box = hand(rng), [10.5, 20, 90, 130.25]
    matrix = crop.affine((33, 44), 77, CROP, rotation=0.7)
    found = modules.evaluate(
        """([points, box, matrix]) => { const c = modules.crop; return {
            square: c.square_around(box).flat(), affine: c.affine([33, 44], 77, 128, 0.7).flat(),
            inverse: c.invert(matrix).flat(),
            moved: c.apply(matrix, points).flat(), angle: c.angle_of(points), alone: c.upright_box(points).box,
            upright: c.upright_box(points, box).box, tight: modules.skeleton.tight_box(points),
            unit: modules.skeleton.unit_length(points)}; }""",
        [keypoints.tolist(), box, matrix.tolist()],
    )
    box = np.array(box, np.float32)
    centre, side = crop.square_around(box)
    wanted = {
        "square": [*centre, side], "affine": matrix, "inverse": crop.invert(matrix),
        "moved": crop.apply(matrix, keypoints), "angle": crop.angle_of(keypoints),
        "alone": crop.upright_box(keypoints)[0],
        "upright": crop.upright_box(keypoints, box)[0],
        "tight": skeleton.tight_box(keypoints), "unit": skeleton.unit_length(keypoints),
    }  # fmt: skip
    for name, value in wanted.items():
        assert np.allclose(np.ravel(found[name]), np.ravel(value), rtol=1e-6, atol=1e-4), name


@pytest.mark.parametrize(
    "box",
    [
        [1, 2, 3],
        [1, 2, float("nan"), 4],
        [30, 2, 10, 40],
        [10, 40, 30, 40],
        [300, 10, 400, 50],
        [-90, 5, 0, 50],
        [50, 50, 53.5, 52],
        [0.1, 0.2, 0.5, 0.6],
        [-4000, -10, 4000, 90],
    ],
)
def test_bad_boxes_are_refused_in_the_same_words(modules, box):
    with pytest.raises(ValueError) as refused:
        crop.check_box(box, 200, 100)
    message = modules.evaluate(
        "(box) => { try { modules.crop.check_box(box, 200, 100); } catch (error) { return error.message; } }", box
    )
    assert message.replace("NaN", "nan") == str(refused.value)


def test_points_from_score_maps(modules, rng):
    maps = rng.normal(size=(40, 21, 16, 16)).astype(np.float32) * 4 - 6
    maps[0, 0, 0, 0] = maps[0, 1, 15, 15] = maps[0, 2, 0, 7] = 9  # at corners and an edge
    maps[0, 3], maps[0, 4, 5, 5:8] = -2, 12  # flat, and a plateau
    keypoints, scores = scoremap.decode(torch.from_numpy(maps))
    found = modules.evaluate(
        """(text) => { const {points, scores} = modules.scoremap.decode(floats(text), 16);
            return [points, scores, modules.scoremap.to_pixels(points)]; }""",
        sent(maps),
    )
    for one, other in zip(found, (keypoints, scores, scoremap.to_pixels(keypoints)), strict=True):
        assert np.allclose(np.array(one).reshape(other.shape), other.numpy(), atol=2e-4)


def test_default_boxes_offsets_and_suppression(modules, rng):
    default = detector.anchors()
    offsets = torch.from_numpy(rng.normal(size=(len(default), 4)).astype(np.float32) * 6)
    boxes, scores = detector.decode(offsets, default)[::25], rng.random(len(default[::25])).astype(np.float32)
    found = modules.evaluate(
        """([offsets, scores]) => { const d = modules.detector, all = floats(offsets), boxes = d.anchors();
            const moved = boxes.map((box, i) => d.decode(all.subarray(4 * i, 4 * i + 4), box));
            const some = moved.filter((_, i) => i % 25 === 0);
            return {boxes, moved, kept: d.nms(some, Array.from(floats(scores)), 0.3),
                extent: some.map(d.box_to_keypoint_extent)}; }""",
        [sent(offsets.numpy()), sent(scores)],
    )
    assert np.allclose(found["boxes"], default, atol=1e-4)
    assert np.allclose(found["moved"], detector.decode(offsets, default), rtol=1e-5, atol=1e-2)
    expected = detector.nms(boxes.numpy(), scores, 0.3).tolist()
    assert found["kept"] == expected and 0 < len(expected) < len(scores)
    assert np.allclose(found["extent"], detector.box_to_keypoint_extent(boxes.numpy()), rtol=1e-5, atol=1e-2)


class Prepared(torch.nn.Module):
    """A detector with ready outputs, which a bright picture raises."""

    def __init__(self, logits: np.ndarray, offsets: np.ndarray) -> None:
        super().__init__()
        self.logits, self.offsets = (torch.nn.Parameter(torch.from_numpy(a)[None]) for a in (logits, offsets))

    def forward(self, images):
        return self.logits + 4 * images[0, 0, 0, 0], self.offsets


def test_what_a_detector_finds_in_a_picture_and_in_its_quarters(modules, rng):
    number = len(detector.anchors())
    logits = (rng.normal(size=number) * 2.2 - 7).astype(np.float32)
    offsets = rng.normal(size=(number, 4)).astype(np.float32)
    image, net = blurred(rng, 203, 310), Prepared(logits, offsets)
    image[:20, :20], image[-150:-100, -230:-190] = 255, 0
    call = """async ([image, logits, offsets, threshold]) => {
        const pixels = rgba(image), given = floats(logits);
        const net = async ({data}) => ({logits: given.map((v) => v + 4 * data[0] / 255), offsets: floats(offsets)});
        return [await modules.detector.detect(net, pixels, threshold),
            await modules.tiles.detect(net, pixels, threshold), modules.tiles.quarters(203, 310)]; }"""
    full, quarters, places = modules.evaluate(call, [sent_image(image), sent(logits), sent(offsets), 0.4])
    assert places == [list(tile) for tile in tiles.quarters(203, 310)]
    (wanted,) = detector.detect(net, [image], threshold=0.4)
    for found, (boxes, scores) in ((full, wanted), (quarters, tiles.detect(net, image, threshold=0.4))):
        assert len(scores) > 3
        assert np.allclose([one["score"] for one in found], scores, atol=1e-5)
        assert np.allclose([one["box"] for one in found], boxes, atol=1e-2)


def test_confidence(modules, rng):
    fitted, detected, scores = confidence.bundled(), rng.random(50), rng.random(50)
    found = modules.evaluate(
        """([fitted, detected, scores]) => { const c = new modules.confidence.Confidence(fitted);
            return [detected.map((d, i) => c.of(d, scores[i])), scores.map((s) => c.of_keypoints(s)),
                c.floor(0.5)]; }""",
        [vars(fitted), detected.tolist(), scores.tolist()],
    )
    for one, other in zip(
        found, (fitted(detected, scores), fitted.of_keypoints(scores), fitted.floor(0.5)), strict=True
    ):
        assert np.allclose(one, other)


def test_letters(modules, rng):
    keypoints, logits, labels = hand(rng), rng.normal(size=5).astype(np.float32), list("ABCDE")
    normalised, letters, nothing = modules.evaluate(
        """([points, logits, labels]) => { const g = modules.gesturenet; return [Array.from(g.normalise(points)),
            g.read(floats(logits), labels), g.normalise(points.map(() => [5, 5]))]; }""",
        [keypoints.tolist(), sent(logits), labels],
    )
    assert np.allclose(np.reshape(normalised, (21, 2)), gesturenet.normalise(keypoints), atol=1e-5)
    chances = torch.from_numpy(logits).softmax(0).numpy()
    assert [label for label, _ in letters] == [labels[i] for i in np.argsort(-chances)]
    assert np.allclose([chance for _, chance in letters], np.sort(chances)[::-1])
    assert nothing is None


class Scripted:
    """A `HandPose` for the tracker: hands that move, one of which is hidden for a while."""

    confidence = confidence.bundled()

    def __init__(self, frames: list[list[dict]]) -> None:
        self.frames, self.number = frames, 0

    def __call__(self, image, boxes=None, *, angles=None, tiles=None):
        hands = self.frames[self.number]
        if boxes is None:
            chosen = [one for one in hands if one["detected"]]
        else:
            middles = [np.mean(one["keypoints"], 0) for one in hands]
            aims = [(np.asarray(box)[:2] + np.asarray(box)[2:]) / 2 for box in boxes]
            chosen = [hands[int(np.argmin([np.abs(m - aim).sum() for m in middles]))] for aim in aims]
        return [Hand(np.array(one["keypoints"], np.float32), np.full(21, one["score"], np.float32),
                     np.array(one["box"], np.float32), 0.9) for one in chosen]  # fmt: skip


SCRIPTED = """async ([frames, fitted, width, height]) => {
    let number = 0;
    const hp = { confidence: new modules.confidence.Confidence(fitted), async find(image, { boxes }) {
        const there = frames[number], mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
        const middles = there.map((one) => [0, 1].map((k) => mean(one.keypoints.map((p) => p[k]))));
        const nearest = ([x, y]) => { const far = middles.map((m) => Math.abs(m[0] - x) + Math.abs(m[1] - y));
            return there[far.indexOf(Math.min(...far))]; };
        const middle = (b) => [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2];
        const chosen = boxes ? boxes.map((b) => nearest(middle(b))) : there.filter((o) => o.detected);
        return chosen.map((one) => ({ keypoints: one.keypoints, scores: Array(21).fill(one.score), box: one.box,
            score: 0.9 })); } };
    const tracker = new modules.tracking.Tracker(hp, 0.5), out = [];
    for (; number < frames.length; number++) {
        const hands = await tracker.next({ width, height });
        out.push({ numbers: tracker.numbers, looked: tracker.looked, points: hands.map((h) => h.keypoints[0]),
            cuts: tracker.tracks.map((t) => t.cut), unseen: tracker.tracks.map((t) => t.unseen) });
    }
    return out; }"""


def test_following(modules, rng):
    width, height, shape, frames = 640, 480, hand(rng, 80, (0, 0)), []
    for t in range(60):
        hands = []
        for k, (start, step) in enumerate([((100, 120), (4, 1)), ((420, 300), (0, 2)), ((300, 200), (0, 0))]):
            turn = crop.affine((0, 0), 1, 1, rotation=0.05 * t * (k - 1))
            keypoints = crop.apply(turn, shape) + np.array(start) + t * np.array(step)
            low = 0.2 if (k == 0 and 20 <= t < 24) else 0.7
            if k == 2 and not 10 <= t < 45:
                continue
            hands.append({"keypoints": keypoints.tolist(), "score": low, "box": skeleton.tight_box(keypoints).tolist(),
                          "detected": low > 0.5 and not (k == 1 and 30 <= t < 55)})  # fmt: skip
        frames.append(hands)
    found = modules.evaluate(SCRIPTED, [frames, vars(confidence.bundled()), width, height])
    hp = Scripted(frames)
    tracker, image = tracking.Tracker(hp), np.zeros((height, width, 3), np.uint8)
    looks, numbers = 0, set()
    for hp.number, one in enumerate(found):
        hands = tracker(image)
        assert (one["numbers"], one["looked"]) == (tracker.numbers, tracker.looked), hp.number
        assert np.allclose(one["points"], [h.keypoints[0] for h in hands], atol=1e-3)
        assert np.allclose(one["cuts"], [t.cut for t in tracker.tracks], atol=1e-2)
        assert one["unseen"] == [t.unseen for t in tracker.tracks]
        looks, numbers = looks + one["looked"], numbers | set(one["numbers"])
    assert 4 < looks < 30 and len(numbers) > 2
