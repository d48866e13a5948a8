import math

import pytest
import torch

from handpose import scoremap


@pytest.mark.parametrize("cells", [8, 16, 32, 64])
def test_round_trip_within_a_tenth_of_a_cell(cells):
    """Anywhere in the map, its borders included, from the score map itself and from its logit."""
    g = torch.Generator().manual_seed(cells)
    keypoints = torch.rand(40, 21, 2, generator=g) * cells - 0.5
    keypoints[0] = -0.5
    keypoints[1] = cells - 0.5
    visible = torch.ones(40, 21, dtype=torch.bool)
    maps = scoremap.encode(keypoints, visible, cells, scoremap.sigma_in_cells(cells))
    logits = torch.logit(maps.double(), eps=1e-12).float()
    for decoded, scores in (scoremap.decode(logits), scoremap.decode_maps(maps)):
        assert (decoded - keypoints).abs().max() < 0.1
        assert scores.shape == (40, 21)


@pytest.mark.parametrize("sigma", [0.7, 1.33, 2.65, 5.0])
def test_round_trip_at_all_widths(sigma):
    g = torch.Generator().manual_seed(0)
    keypoints = torch.rand(20, 21, 2, generator=g) * 32 - 0.5
    maps = scoremap.encode(keypoints, torch.ones(20, 21, dtype=torch.bool), 32, sigma)
    decoded, _ = scoremap.decode(torch.logit(maps.double(), eps=1e-12).float())
    assert (decoded - keypoints).abs().max() < 0.1


def test_paper_numbers():
    assert scoremap.sigma_in_cells(32) == pytest.approx(2.65, abs=0.005)
    assert scoremap.sigma_in_cells(16) == pytest.approx(1.33, abs=0.005)
    maps = scoremap.encode(
        torch.full((1, 21, 2), 16.0), torch.ones(1, 21, dtype=torch.bool), 32, scoremap.sigma_in_cells(32)
    )
    assert maps[0, 0].max() == 1 and maps[0, 0, 16, 16] == 1
    assert maps[0, 0].square().sum() == pytest.approx(22.1, abs=0.05)
    # exp(-d^2 / 30^2) at 24 pixels, which are 3 cells
    assert maps[0, 0, 16, 19] == pytest.approx(math.exp(-(24**2) / 30**2), abs=1e-6)


def test_rectangular_map():
    keypoints = torch.tensor([[[6.25, 2.5]]]).repeat(1, 21, 1)
    maps = scoremap.encode(keypoints, torch.ones(1, 21, dtype=torch.bool), (5, 9), 1.0)
    assert maps.shape == (1, 21, 5, 9)
    assert torch.allclose(scoremap.decode_maps(maps)[0], keypoints, atol=0.05)


def test_invisible_and_outside():
    keypoints = torch.zeros(1, 21, 2)
    keypoints[0, 0] = float("nan")
    keypoints[0, 1] = -100.0
    visible = torch.ones(1, 21, dtype=torch.bool)
    visible[0, 0] = False
    maps = scoremap.encode(keypoints, visible, 16, 1.3)
    assert torch.isfinite(maps).all() and (maps[0, 0] == 0).all() and maps[0, 1].max() < 1e-6 and maps[0, 2].max() == 1


def test_flat_map_decodes_to_a_cell():
    for decode, flat, score in (
        (scoremap.decode_maps, 0.0, 0.0),
        (scoremap.decode, 0.0, 0.5),  # logits that happen to lie in [0, 1] are logits
        (scoremap.decode, -3.0, 0.0474),
    ):
        keypoints, scores = decode(torch.full((1, 21, 8, 8), flat))
        assert torch.isfinite(keypoints).all() and (keypoints >= -0.5).all() and (keypoints <= 7.5).all()
        assert torch.allclose(scores, torch.full((1, 21), score), atol=1e-4)


def test_pixels_and_cells():
    x = torch.rand(10, 2) * 256
    assert torch.allclose(scoremap.to_pixels(scoremap.to_cells(x)), x, atol=1e-4)
    assert scoremap.to_cells(torch.tensor(3.5)) == 0  # the middle of the first eight pixels


def test_refuses():
    visible = torch.ones(1, 21, dtype=torch.bool)
    with pytest.raises(ValueError):
        scoremap.encode(torch.zeros(1, 21, 2), visible, 16, 0)
    with pytest.raises(ValueError):
        scoremap.encode(torch.zeros(1, 20, 2), visible, 16, 1)
    with pytest.raises(ValueError):
        scoremap.decode(torch.zeros(1, 21, 2, 8))
    with pytest.raises(ValueError, match="between 0 and 1"):
        scoremap.decode_maps(torch.full((1, 21, 8, 8), -0.1))
