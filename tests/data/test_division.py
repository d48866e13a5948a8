"""A set without splits, divided by group or photo."""

import numpy as np
import pytest

from handpose.data import DataError, division
from handpose.data.common import make_sample


def sample(seed, group, name):
    image = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)
    return make_sample(image, np.full((21, 2), 20.0), np.ones(21, bool), group=group, id=name)


def groups_of(part):
    return {part[i].group for i in range(len(part))}


def images_of(part):
    return {division.image_key(part[i].image) for i in range(len(part))}


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
def test_groups_stay_whole(fraction):
    hands = [sample(i, f"g{i // 4}", str(i)) for i in range(80)]
    found = division.divide(hands, fraction)
    assert found.by == "group" and not groups_of(found.train) & groups_of(found.val)
    assert len(found.val) == 80 * fraction and len(found.train) + len(found.val) == 80
    assert found.held_out == [found.val[i].id for i in range(len(found.val))]
    assert division.divide(hands, fraction).held_out == found.held_out


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.99])
def test_few_groups_are_divided_by_photo_and_said(fraction):
    """Two hands of one photo stay together, and so do two copies of it; there is always a hand on either side."""
    hands = [sample(i // 2 % 6, "all" if i else "other", str(i)) for i in range(24)]
    found = division.divide(hands, fraction)
    assert found.by == "photo" and not images_of(found.train) & images_of(found.val)
    assert len(found.train) and len(found.val) and "fewer than 5 groups" in str(found)
    assert len(found.val) == {0.01: 4, 0.2: 4, 0.99: 20}[fraction]


def test_groups_that_share_a_photo_are_one():
    hands = [sample(0 if i in (0, 9) else i, f"g{i}", str(i)) for i in range(10)]
    for fraction in np.arange(0.1, 1, 0.1):
        found = division.divide(hands, float(fraction))
        assert found.by == "group" and not images_of(found.train) & images_of(found.val)


def test_what_cannot_be_divided():
    with pytest.raises(DataError, match="mine: holds a single photo"):
        division.divide([sample(0, "a", "0"), sample(0, "b", "1")], name="mine")
    for fraction in (0, 1, -0.2, float("nan")):
        with pytest.raises(ValueError, match=f"--val-fraction {fraction}"):
            division.divide([sample(0, "a", "0"), sample(1, "b", "1")], fraction)


def test_keys_tell_pictures_and_labels_apart():
    a, b = sample(0, "a", "0"), sample(1, "a", "1")
    assert division.image_key(a.image) == division.image_key(a.image.copy()) != division.image_key(b.image)
    assert division.image_key(np.zeros((40, 50, 3), np.uint8)) != division.image_key(np.zeros((50, 40, 3), np.uint8))
    before = division.label_key(a)
    a.keypoints[3, 1] += 0.25
    assert division.label_key(a) != before


def test_a_part_keeps_the_parts_of_its_set():
    class Hands(list):
        parts = list("AABB")

    part = division.Part(Hands(sample(i, "g", str(i)) for i in range(4)), [1, 3])
    assert part.parts == ["A", "B"] and len(part) == 2 and part[1].id == "3"
    assert len(part.image_keys) == 1 and part.digests()["labels"] != division.combined([])
