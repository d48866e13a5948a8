"""HandDecNet: anchors, matching, the loss, and boxes there and back; scenes and average precision."""

import numpy as np
import pytest
import torch

import handpose
from handpose import detector
from handpose.data import augment, scenes
from handpose.study import detection
from handpose.train import config


def random_boxes(number: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    low = torch.rand(number, 2, generator=g) * 180
    return torch.cat([low, low + 5 + torch.rand(number, 2, generator=g) * 70], 1)


def test_the_network_answers_for_every_anchor():
    net = handpose.HandDecNet().eval()
    for size in (256, 320):
        with torch.inference_mode():
            logits, offsets = net(torch.rand(2, 3, size, size))
        assert logits.shape == (2, len(detector.anchors(size))) and offsets.shape == (*logits.shape, 4)
    for wrong in ((1, 3, 100, 100), (1, 3, 256, 128), (3, 256, 256)):
        with pytest.raises(ValueError, match="multiple of 64"):
            net(torch.zeros(wrong))
    with pytest.raises(ValueError, match="no channels"):
        handpose.HandDecNet(width=0.001)


def test_an_anchor_stands_where_its_cell_looks():
    """A bright spot moves the logits of the anchors around it, and of no anchor far away on the finest map."""
    torch.manual_seed(0)
    net, default = handpose.HandDecNet().eval(), detector.anchors()
    image = torch.full((1, 3, 256, 256), 0.5)
    spot = image.clone()
    spot[..., 176:180, 56:60] = 1.0  # y, x
    with torch.inference_mode():
        change = (net(spot)[0] - net(image)[0]).abs()[0, : 32 * 32 * 6]
    centre = (default[: 32 * 32 * 6, :2] + default[: 32 * 32 * 6, 2:]) / 2
    distance = (centre - torch.tensor([58.0, 178.0])).norm(dim=1)
    assert change[distance < 6].max() > 0 and change[distance > 70].max() == 0


def test_overlap_against_counting_pixels():
    boxes = random_boxes(12).round()
    table = detector.iou(boxes, boxes)
    for i, a in enumerate(boxes.int()):
        for j, b in enumerate(boxes.int()):
            grid = np.zeros((2, 260, 260), bool)
            for k, (x0, y0, x1, y1) in enumerate((a, b)):
                grid[k, y0:y1, x0:x1] = True
            assert table[i, j] == pytest.approx((grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum(), abs=1e-6)


def test_offsets_there_and_back():
    default = detector.anchors()[::40]
    boxes = random_boxes(len(default))
    assert torch.allclose(detector.decode(detector.encode(boxes, default), default), boxes, atol=1e-3)
    assert torch.isfinite(detector.decode(torch.full((1, 4), 1e4), default[:1])).all()


def test_every_hand_gets_an_anchor():
    default = detector.anchors()
    boxes = random_boxes(30, seed=3)
    chosen = detector.match(boxes, default)
    assert set(chosen.tolist()) == {-1, *range(30)}
    overlap = detector.iou(default, boxes)
    for a in (chosen >= 0).nonzero()[:, 0]:
        k = chosen[a]
        rank = (overlap[:, k] > overlap[a, k]).sum()
        assert overlap[a, k] >= 0.5 or rank == 0 or (rank < 6 and overlap[a, k] >= 0.3)
    assert (detector.match(torch.zeros(0, 4), default) == -1).all()


@pytest.mark.parametrize("width, height", [(18, 18), (20, 70), (120, 40)])
def test_a_small_or_thin_hand_gets_six_anchors(width, height):
    """By the threshold of one half it would have fewer; the six are its best, and a second hand keeps its own."""
    default = detector.anchors()
    thin = torch.tensor([101.0, 90, 101 + width, 90 + height])
    other = torch.tensor([10.0, 10, 70, 90])
    overlap = detector.iou(default, thin[None])[:, 0]
    assert (overlap >= 0.5).sum() < 6 and overlap.sort(descending=True).values[5] >= 0.3
    chosen = detector.match(torch.stack([thin, other]), default)
    assert set((chosen == 0).nonzero()[:, 0].tolist()) == set(overlap.topk(int((chosen == 0).sum())).indices.tolist())
    assert (chosen == 0).sum() >= 6
    assert torch.equal((chosen == 1), detector.iou(default, other[None])[:, 0] >= 0.5)


def test_loss_counts_three_negatives_for_a_positive():
    """The class part against a plain loop over the anchors."""
    loss, g = detector.DetectionLoss(), torch.Generator().manual_seed(1)
    logits = torch.randn(2, 8160, generator=g)
    boxes = [random_boxes(2, seed=5), torch.zeros(0, 4)]
    _, parts = loss(logits, torch.zeros(2, 8160, 4), boxes)
    expected, positives = 0.0, 0
    for row, own in zip(logits.double(), boxes, strict=True):
        hand = detector.match(own, loss.default) >= 0
        wrong = sorted(torch.log1p(row[~hand].exp()).tolist(), reverse=True)
        count = 3 * int(hand.sum()) or detector.EMPTY
        expected += torch.log1p((-row[hand]).exp()).sum().item() + sum(wrong[:count])
        positives += int(hand.sum())
    assert parts["class"].item() == pytest.approx(expected / positives, rel=1e-4)


@pytest.mark.parametrize("boxes", [torch.zeros(0, 4), torch.full((2, 4), 50.0), random_boxes(3000)])
def test_loss_and_gradient_are_finite(boxes):
    """No hand at all, hands that are one point, thousands of hands."""
    logits = torch.zeros(2, 8160, requires_grad=True)
    offsets = torch.zeros(2, 8160, 4, requires_grad=True)
    total, _ = detector.DetectionLoss()(logits, offsets, [boxes, torch.zeros(0, 4)])
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0
    assert offsets.grad is None or torch.isfinite(offsets.grad).all()


def test_suppression_keeps_the_surest_of_a_cluster():
    boxes = np.array([[0, 0, 100, 100], [5, 5, 105, 105], [150, 150, 200, 220], [0, 0, 100, 30]], np.float32)
    assert detector.nms(boxes, np.array([0.6, 0.9, 0.3, 0.5], np.float32), 0.45).tolist() == [1, 3, 2]
    assert len(detector.nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.45)) == 0


@pytest.mark.parametrize(("height", "width"), [(480, 640), (300, 200), (64, 1000)])
def test_boxes_come_back_in_the_pixels_of_the_picture(height, width):
    """A network that is sure of one anchor: its box, mapped back by the picture's own scale."""
    default, k = detector.anchors(), 7800

    class Sure(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images):
            logits = torch.full((1, len(default)), -9.0)
            logits[0, k] = 9
            return logits, torch.zeros(1, len(default), 4)

    ((boxes, scores),) = detector.detect(Sure(), [np.zeros((height, width, 3), np.uint8)], threshold=0.5)
    assert scores.shape == (1,) and scores[0] > 0.99
    factor = 256 / max(height, width)
    expected = (default[k].numpy() + 0.5) / factor - 0.5
    assert np.allclose(boxes[0], np.clip(expected, -0.5, np.array([width, height] * 2) - 0.5), atol=1e-2)


def test_body_box_and_back():
    keypoints = np.random.default_rng(0).uniform(0, 100, (5, 21, 2)).astype(np.float32)
    body = detector.keypoints_to_box(keypoints)
    tight = np.concatenate([keypoints.min(1), keypoints.max(1)], 1)
    assert np.allclose(body[:, 2] - body[:, 0], 1.2 * (tight[:, 2] - tight[:, 0]), atol=1e-3)
    assert np.allclose(detector.box_to_keypoint_extent(body), tight, atol=1e-3)


# Average precision


def test_average_precision_by_hand():
    true = [np.array([[0, 0, 10, 10]], np.float32), np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)]
    one, two = true[0], true[1]
    perfect = [(one, np.array([0.9])), (two, np.array([0.8, 0.7]))]
    assert detection.average_precision(perfect, true)["ap50"] == pytest.approx(1)
    assert detection.average_precision([(one[:0], np.zeros(0))] * 2, true)["ap50"] == 0
    # Most confident first: right, wrong, right; the third is never found. Precision 1 to recall 1/3, 2/3 to recall 2/3.
    far = np.array([[80, 80, 90, 90]], np.float32)
    some = [(np.concatenate([one, far]), np.array([0.9, 0.8])), (two[:1], np.array([0.7]))]
    expected = (34 * 1 + 33 * 2 / 3) / 101  # recalls 0 to 0.33, then 0.34 to 0.66
    assert detection.average_precision(some, true)["ap50"] == pytest.approx(expected, abs=1e-6)


def test_best_counts_what_was_met():
    boxes = [np.array([[0, 0, 10, 10]], np.float32)] * 3
    found = [
        (np.array([[50, 50, 60, 60], [0, 0, 10, 10]], np.float32), np.array([0.9, 0.8])),  # met by the second
        (np.array([[0, 0, 10, 10]], np.float32), np.array([0.2])),  # below the threshold
        (np.array([[0, 0, 10, 5]], np.float32), np.array([0.9])),  # IoU of a half
    ]
    scores = detection.best(found, boxes, 0.5)
    assert scores == {"pictures": 3, "recall50": pytest.approx(2 / 3), "top1_iou": pytest.approx(0.5 / 3)}


# Scenes


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    from handpose import data

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.SYNTHETIC, "val", {"length": 30, "size": 96})
        yield scenes.Scenes(0, "val", 40, 128)


def test_scenes_are_the_same_every_time_and_hold_zero_to_four_hands(composed):
    again = [composed[i] for i in (5, 0, 5)]
    assert np.array_equal(again[0].image, again[2].image) and np.array_equal(again[0].boxes, again[2].boxes)
    counts = []
    for i in range(40):
        p = composed[i]
        assert p.image.shape == (128, 128, 3) and p.image.dtype == np.uint8 and p.boxes.dtype == np.float32
        assert (p.boxes >= -0.5).all() and (p.boxes <= 127.5).all()
        assert (p.boxes[:, 2:] - p.boxes[:, :2] > 2).all()
        counts.append(len(p.boxes))
    assert set(counts) == {0, 1, 2, 3, 4}
    with pytest.raises(IndexError):
        composed[40]


@pytest.mark.parametrize("rotation", [0, 20])
def test_boxes_follow_the_pixels_through_augmentation(rotation):
    """A white block on black: after turning, scaling, stretching, shifting and mirroring, its box is still its box."""
    images, boxes = torch.zeros(64, 128, 128, 3, dtype=torch.uint8), []
    g = torch.Generator().manual_seed(0)
    for image in images:
        x0, y0 = torch.randint(30, 60, (2,), generator=g).tolist()
        w, h = torch.randint(12, 40, (2,), generator=g).tolist()
        image[y0 : y0 + h, x0 : x0 + w] = 255
        boxes.append(torch.tensor([[x0 - 0.5, y0 - 0.5, x0 + w - 0.5, y0 + h - 0.5]]))
    # Corners of the block as its outline: any turn of it is then as tight as can be.
    corners = [b[0][torch.tensor([[0, 1], [2, 1], [0, 3], [2, 3]])].repeat(1, 6, 1)[:, :21].float() for b in boxes]
    augmentation = config.Augment(scale=0.6, stretch=0.25, flip=0.5, rotation=rotation)
    out, moved = scenes.batch(images, corners, augment.Random(0, 1), augmentation)
    counted = 0
    for turned, box in zip(out, moved, strict=True):
        white = (turned[0] > 0.5).nonzero()
        if not len(box):
            continue
        counted += 1
        low, high = white.amin(0).flip(0) - 0.5, white.amax(0).flip(0) + 0.5
        assert torch.allclose(torch.cat([low, high]), box[0], atol=1.5)
    assert counted > 45


def test_outlines_have_the_extent_of_the_box():
    hand = handpose.data.SyntheticHands(seed=0, size=128)[3]
    box = detector.keypoints_to_box(hand.keypoints, hand.visible)
    keypoints = scenes.outline(hand.keypoints, hand.visible)
    assert np.allclose(np.concatenate([keypoints.min(0), keypoints.max(0)]), box, atol=1e-3)
    round_one = scenes.ellipses(box[None])[0]
    assert np.allclose(np.concatenate([round_one.min(0), round_one.max(0)]), box, atol=1e-3)


@pytest.mark.parametrize("degrees", [30, 90, 180])
def test_a_turned_picture_has_the_boxes_of_its_turned_hands(degrees):
    image = np.zeros((80, 120, 3), np.uint8)
    image[20:50, 30:90] = 255
    corners = np.array([[29.5, 19.5], [89.5, 19.5], [29.5, 49.5], [89.5, 49.5]], np.float32)
    outline = np.concatenate([corners, np.repeat(corners[:1], 17, 0)])[None]
    scene = scenes.Picture(image, np.array([[29.5, 19.5, 89.5, 49.5]], np.float32), "a", "b", outline)
    turned = detection.turn(scene, degrees)
    white = np.argwhere(turned.image[..., 0] > 127)[:, ::-1]
    assert np.allclose(np.concatenate([white.min(0) - 0.5, white.max(0) + 0.5]), turned.boxes[0], atol=1.1)


def test_recall_counts_hands_by_confidence_and_by_size():
    image = np.zeros((100, 100, 3), np.uint8)
    true = np.array([[10, 10, 20, 20], [40, 40, 80, 80], [0, 60, 30, 90]], np.float32)
    images = [scenes.Picture(image, true, "a", "b"), scenes.Picture(image, np.zeros((0, 4), np.float32), "a", "c")]
    found = [(true + np.float32(0.5), np.array([0.9, 0.4, 0.8], np.float32)), (true[:1], np.array([0.99], np.float32))]
    assert detection.recall(found, images, 0.5) == pytest.approx(2 / 3, abs=1e-4)
    sizes = detection.recall_by_size(found, images, 0.5)
    assert {k: (v["hands"], v["recall50"]) for k, v in sizes.items()} == {"0.1-0.2": (1, 1.0), "0.3-0.5": (2, 0.5)}


def test_windows_show_no_labelled_hand():
    image = np.zeros((100, 300, 3), np.uint8)
    image[20:80, 20:80] = 255
    scene = scenes.Picture(image, np.array([[20, 20, 80, 80]], np.float32), "a", "b")
    (window,) = scenes.windows([scene, scenes.Picture(image, np.zeros((0, 4), np.float32), "a", "c")])
    assert window.boxes.shape == (0, 4) and window.image.max() == 0


def test_it_learns_where_a_square_is(tmp_path):
    """A few steps on white squares: the loss falls, and the weights come back from their file the same."""
    from handpose import pretrained

    torch.manual_seed(0)
    net, loss = handpose.HandDecNet(width=0.125), detector.DetectionLoss()
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    images, boxes = torch.zeros(8, 3, 256, 256), random_boxes(8, seed=2).round()
    for image, (x0, y0, x1, y1) in zip(images, boxes.int().tolist(), strict=True):
        image[:, y0:y1, x0:x1] = 1
    losses = []
    for _ in range(12):
        total, _ = loss(*net(images), [b[None] for b in boxes])
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < 0.6 * losses[0]
    pretrained.save(tmp_path / "w.safetensors", net, 256)
    again, size = pretrained.load(tmp_path / "w.safetensors", kind=handpose.HandDecNet)
    with torch.inference_mode():
        assert size == 256 and torch.allclose(again(images[:1])[0], net.eval()(images[:1])[0], atol=0.05)
    with pytest.raises(pretrained.WeightsError, match="not 'handpose.PoseEstimationNet/1'"):
        pretrained.load(tmp_path / "w.safetensors")
