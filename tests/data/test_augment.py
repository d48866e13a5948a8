import dataclasses

import numpy as np
import pytest
import torch

from handpose.data import augment
from handpose.train import config

ALL = config.load("laptop").augment
NONE = config.Augment()
SIZE = 64
STILL = config.Crop(SIZE, 0.0)


def spots(batch=6, side=96):
    """Pictures with a bright spot at each sample's joint 0, and a mask of ones."""
    g = torch.Generator().manual_seed(1)
    keypoints = torch.rand(batch, 21, 2, generator=g) * side * 0.5 + side * 0.25
    yy, xx = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    d2 = (xx - keypoints[:, 0, 0, None, None]) ** 2 + (yy - keypoints[:, 0, 1, None, None]) ** 2
    images = (255 * torch.exp(-d2 / 18)).to(torch.uint8)[..., None].repeat(1, 1, 1, 4)
    images[..., 3] = 255
    return images, keypoints, torch.ones(batch, 21, dtype=torch.bool)


def augmented(hands, chosen, *, crop=STILL, seed=0, step=0, backgrounds=None):
    """`augment.batch` of what `spots` makes."""
    return augment.batch(*hands, size=SIZE, rng=augment.Random(seed, step), crop=crop, augmentation=chosen,
                         backgrounds=backgrounds)  # fmt: skip


@pytest.mark.parametrize("step", range(4))
def test_picture_and_points_move_alike(step):
    chosen = dataclasses.replace(NONE, rotation=60, scale=0.4, stretch=0.4, flip=0.5)
    out, moved, labelled = augmented(spots(), chosen, crop=config.Crop(SIZE, 0.1), step=step)
    yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    for image, point, inside in zip(out[:, 0], moved[:, 0], labelled[:, 0], strict=True):
        if inside and ((point > 12) & (point < SIZE - 12)).all():
            found = torch.stack([(image * xx).sum(), (image * yy).sum()]) / image.sum()
            assert (found - point).abs().max() < 0.3


def test_paper_crop_holds_every_keypoint():
    hands = spots(24)
    for step in range(10):
        _, moved, labelled = augmented(hands, NONE, crop=config.load("paper").crop, seed=1, step=step)
        assert labelled.all()
        reach = (moved - (SIZE - 1) / 2).abs().amax((1, 2))
        assert torch.allclose(reach, torch.full((24,), SIZE / 2 / 1.25), atol=0.01)  # the margin of 1.25, exactly


def test_centre_noise_has_the_papers_size():
    keypoints = torch.tensor([[40.0, 40], [60, 60]]).repeat(1, 11, 1)[:, :21].repeat(4000, 1, 1)
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    linear, offset = augment.geometry(keypoints, visible, 256, augment.Random(0, 0), config.Crop(256, 8 / 256), NONE)
    centre = linear @ torch.tensor([50.0, 50.0]) + offset
    # In pixels of a crop that has not grown: divide by how much each grew.
    shift = (centre - 127.5) * (256 / 25 / linear[:, 0, 0])[:, None]
    assert shift.std().item() == pytest.approx(8, rel=0.05) and shift.mean().abs() < 0.5


def test_flip_keeps_joint_indices():
    hands = spots()
    plain, moved, _ = augmented(hands, NONE)
    mirrored, here, _ = augmented(hands, dataclasses.replace(NONE, flip=1.0))
    assert torch.allclose(here[..., 0], SIZE - 1 - moved[..., 0], atol=1e-3)
    assert torch.allclose(mirrored, plain.flip(-1), atol=2e-2)


def test_invisible_joints_do_not_count():
    images, keypoints, visible = spots()
    keypoints[:, 5] = float("nan")
    visible[:, 5] = False
    out, moved, labelled = augmented((images, keypoints, visible), ALL, crop=config.Crop(SIZE))
    assert torch.isfinite(out).all() and not labelled[:, 5].any() and torch.isfinite(moved[labelled]).all()


def test_same_step_same_numbers_and_range():
    images, keypoints, visible = spots()
    scenery = torch.randint(0, 255, (3, 96, 96, 3), dtype=torch.uint8)
    images[..., 3] = 0

    def once(step):
        hands = (images, keypoints, visible)
        return augmented(hands, ALL, crop=config.Crop(SIZE), seed=3, step=step, backgrounds=scenery)

    a, b, c = once(5), once(5), once(6)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True)) and not torch.equal(a[0], c[0])
    assert a[0].min() >= 0 and a[0].max() <= 1


def test_background_goes_behind_the_mask():
    images, keypoints, visible = spots(2)
    images[..., :3] = 10
    images[..., :48, 3] = 0  # the left half is background
    scenery = torch.full((1, 96, 96, 3), 250, dtype=torch.uint8)
    chosen = dataclasses.replace(NONE, background=1.0)
    out, _, _ = augmented((images, keypoints, visible), chosen, backgrounds=scenery)
    values = np.unique((out * 255).round().numpy())
    assert values.min() == pytest.approx(10, abs=1) and values.max() == pytest.approx(250, abs=1)
