import numpy as np
import pytest

from handpose import crop


def rng_points(seed=0):
    return np.random.default_rng(seed).uniform(50, 150, (21, 2)).astype(np.float32)


def test_corners_by_hand():
    """A square of side 8 about (3.5, 3.5) covers pixels 0..7; at the same size it is the identity."""
    assert np.allclose(crop.affine((3.5, 3.5), 8, 8), [[1, 0, 0], [0, 1, 0]])
    half = crop.affine((3.5, 3.5), 8, 4)  # resize by s = 1/2: x -> (x + 0.5) s - 0.5
    assert np.allclose(crop.apply(half, [[0, 0], [7, 3]]), [[-0.25, -0.25], [3.25, 1.25]])


@pytest.mark.parametrize("rotation", [0, 0.4, -2])
@pytest.mark.parametrize("flip", [False, True])
def test_inverse(rotation, flip):
    keypoints = rng_points()
    matrix = crop.affine((90, 110), 77, 128, rotation=rotation, flip=flip)
    assert np.allclose(crop.apply(crop.invert(matrix), crop.apply(matrix, keypoints)), keypoints, atol=1e-3)
    assert np.allclose(crop.apply(matrix, [[90, 110]]), 63.5)  # the centre stays the centre


def test_flip_mirrors_and_keeps_indices():
    keypoints, size = rng_points(), 128
    plain = crop.apply(crop.affine((90, 110), 100, size), keypoints)
    flipped = crop.apply(crop.affine((90, 110), 100, size, flip=True), keypoints)
    assert np.allclose(flipped[:, 0], size - 1 - plain[:, 0], atol=1e-3) and np.allclose(
        flipped[:, 1], plain[:, 1], atol=1e-4
    )


def test_square_grows_to_hold_every_keypoint():
    keypoints = rng_points()
    box = np.concatenate([keypoints.min(0), keypoints.max(0)])
    _, plain = crop.square_around(box, keypoints)
    assert plain == pytest.approx(1.25 * max(np.ptp(keypoints, axis=0)), rel=1e-5)
    for noise in ((0, 0), (12, -7), (-40, 3)):
        centre, side = crop.square_around(box, keypoints, noise=noise)
        assert np.abs(keypoints - centre).max() <= side / 2 / 1.25 + 1e-6
        assert side >= plain - 1e-6


def spot(size, x, y):
    yy, xx = np.mgrid[:size, :size]
    value = 255 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * (size / 40) ** 2))
    return np.repeat(value[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("size", [100, 400, 1600])
def test_picture_and_points_move_alike(size):
    """A bright spot in the picture is found where the affine map says, at every ratio of sizes."""
    x, y = 0.43 * size, 0.61 * size
    matrix = crop.affine((size / 2, size / 2), size * 0.9, 128, rotation=0.3, flip=True)
    weights = crop.warp(spot(size, x, y), matrix, 128)[..., 0].astype(float)
    yy, xx = np.mgrid[:128, :128]
    found = np.array([(weights * xx).sum(), (weights * yy).sum()]) / weights.sum()
    assert np.abs(found - crop.apply(matrix, [x, y])).max() < 0.1


def test_shrinking_averages():
    """A fine checkerboard becomes grey, not a coarse pattern of its own."""
    board = ((np.indices((640, 640)).sum(0) % 2) * 255).astype(np.uint8)[..., None]
    out = crop.warp(board, crop.affine((319.5, 319.5), 640, 64), 64)
    assert abs(out.astype(int) - 127).max() < 8


def test_outside_is_the_edge_or_a_value():
    image = np.full((20, 20, 1), 200, np.uint8)
    matrix = crop.affine((0, 0), 40, 40)
    assert (crop.warp(image, matrix, 40) == 200).all()
    assert crop.warp(image, matrix, 40, outside=0)[5, 5] == 0


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 3),
        (5, 5, 5, 9),
        (9, 0, 1, 9),
        (0, 0, float("nan"), 5),
        (0, 0, float("inf"), 5),
        (100, 0, 120, 9),
        "abcd",
        (0.1, 0.2, 0.5, 0.6),
        (50, 40, 50.001, 40.001),
        (-1e9, -1e9, 1e9, 1e9),
    ],  # parts of the picture; of no hand
)
def test_bad_boxes(box):
    with pytest.raises(ValueError, match="box"):
        crop.check_box(box, 100, 50)


def test_degenerate_box_gives_a_crop():
    """All key-points in one place: a side of one pixel, not a division by zero."""
    cropped = crop.crop_box(np.zeros((50, 50, 3), np.uint8), np.array([20, 20, 20, 20.0]), 64)
    assert cropped.image.shape == (64, 64, 3) and np.isfinite(cropped.to_image(np.zeros((21, 2)))).all()


@pytest.mark.parametrize("degrees", [0, 30, -90, 170])
def test_upright_box(degrees):
    """A turned hand's box along its axes is the upright one, about the turned centre; and its crop is upright."""
    keypoints = rng_points()
    keypoints[[0, 9]] = [[100, 140], [100, 90]]  # wrist, and straight above it the base of the middle finger
    assert crop.angle_of(keypoints) == pytest.approx(0, abs=1e-6)
    turn = crop.affine((80, 120), 64, 64, rotation=np.deg2rad(degrees))
    box, angle = crop.upright_box(crop.apply(turn, keypoints))
    assert np.rad2deg(angle) == pytest.approx(degrees, abs=0.01)
    tight = np.concatenate([keypoints.min(0), keypoints.max(0)])
    assert np.allclose(box[2:] - box[:2], tight[2:] - tight[:2], atol=0.01)
    centre = (tight[:2] + tight[2:]) / 2
    assert np.allclose((box[:2] + box[2:]) / 2, crop.apply(turn, centre), atol=0.01)
    cropped = crop.crop_box(np.zeros((200, 200, 3), np.uint8), box, 64, angle=angle)
    plain = crop.crop_box(np.zeros((200, 200, 3), np.uint8), tight, 64)
    shown, expected = crop.apply(cropped.matrix, crop.apply(turn, keypoints)), crop.apply(plain.matrix, keypoints)
    assert np.allclose(shown, expected, atol=0.02)
    assert np.allclose(cropped.to_image(shown), crop.apply(turn, keypoints), atol=0.01)


def test_upright_box_lies_between_the_key_points_and_the_box():
    keypoints = rng_points()
    own, angle = crop.upright_box(keypoints)
    moved, same = crop.upright_box(keypoints, own + [10, -6, 10, -6])
    assert np.allclose(moved, own + [5, -3, 5, -3], atol=0.01) and angle == same
    assert np.isfinite(crop.upright_box(np.full((21, 2), 7.0))[0]).all()  # a hand without a direction
