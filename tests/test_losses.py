import math

import pytest
import torch

from handpose import PoseLoss, scoremap


def setup(cells=32, batch=2):
    g = torch.Generator().manual_seed(0)
    keypoints = torch.rand(batch, 21, 2, generator=g) * (cells * 4) + cells * 2
    return keypoints, torch.ones(batch, 21, dtype=torch.bool)


@pytest.mark.parametrize(("cells", "start", "floor"), [(32, 6.93, 4.79), (16, 5.55, 3.40)])
def test_where_it_starts_and_its_floor(cells, start, floor):
    keypoints = torch.full((1, 21, 2), cells * 4 - 0.5)  # the middle of the map
    visible = torch.ones(1, 21, dtype=torch.bool)
    flat = torch.full((1, 21, cells, cells), -3.1)
    _, parts = PoseLoss()([flat], keypoints, visible)
    assert parts["cross_entropy"] == pytest.approx(math.log(cells**2), abs=1e-3) == pytest.approx(start, abs=0.01)
    assert parts["entropy"] == pytest.approx(floor, abs=0.02)
    assert parts["squared_error"] == pytest.approx(0.9, abs=0.05)
    target = scoremap.encode(scoremap.to_cells(keypoints), visible, cells, scoremap.sigma_in_cells(cells))
    _, best = PoseLoss()([target.clamp(min=1e-30).log()], keypoints, visible)
    assert best["cross_entropy"] == pytest.approx(float(best["entropy"]), abs=1e-4)


def test_values_by_hand():
    """One visible joint on a 2x2-cell corner of a map, computed with plain Python."""
    keypoints = torch.zeros(1, 21, 2)
    keypoints[0, 0] = torch.tensor([3.5, 3.5])  # cell (0, 0)
    visible = torch.zeros(1, 21, dtype=torch.bool)
    visible[0, 0] = True
    logits = torch.zeros(1, 21, 3, 3)
    logits[0, 0, 0, 0] = 2.0
    spread = 0.5
    sigma2 = (3 * spread) ** 2 / 2
    g = [[math.exp(-(x * x + y * y) / (2 * sigma2)) for x in range(3)] for y in range(3)]
    total_g, z = sum(map(sum, g)), [[2.0 if x == y == 0 else 0.0 for x in range(3)] for y in range(3)]
    log_sum = math.log(sum(math.exp(v) for row in z for v in row))
    ce = -sum(g[y][x] / total_g * (z[y][x] - log_sum) for x in range(3) for y in range(3))
    se = sum((1 / (1 + math.exp(-z[y][x])) - g[y][x]) ** 2 for x in range(3) for y in range(3))
    se /= sum(v * v for row in g for v in row)
    for alpha in (0.0, 0.3, 0.7, 1.0):
        total, parts = PoseLoss(alpha, spread=spread)([logits], keypoints, visible)
        assert total == pytest.approx((alpha * ce + (1 - alpha) * se) / 21, abs=1e-6)
        assert parts["cross_entropy"] == pytest.approx(ce, abs=1e-5) and parts["squared_error"] == pytest.approx(
            se, abs=1e-5
        )


def test_stages_add():
    keypoints, visible = setup()
    a, b = torch.randn(2, 2, 21, 32, 32).unbind(0)
    loss = PoseLoss()
    both, parts = loss([a, b], keypoints, visible)
    assert both == pytest.approx(float(loss([a], keypoints, visible)[0] + loss([b], keypoints, visible)[0]), rel=1e-5)
    assert parts["stage1"] + parts["stage2"] == pytest.approx(float(both), rel=1e-5)


def test_invisible_sample_contributes_nothing():
    keypoints, visible = setup()
    visible[1] = False
    keypoints[1] = float("nan")
    maps = torch.randn(2, 21, 32, 32, requires_grad=True)
    total, _ = PoseLoss()([maps], keypoints, visible)
    alone, _ = PoseLoss()([maps[:1]], keypoints[:1], visible[:1])
    assert total.item() == pytest.approx(alone.item() / 2, rel=1e-5)
    total.backward()
    assert (maps.grad[1] == 0).all() and torch.isfinite(maps.grad).all() and (maps.grad[0] != 0).any()


def test_all_invisible():
    keypoints, visible = setup()
    maps = torch.randn(2, 21, 32, 32, requires_grad=True)
    total, parts = PoseLoss()([maps], keypoints, visible & False)
    total.backward()
    assert total == 0 and (maps.grad == 0).all() and all(torch.isfinite(v) for v in parts.values())


def test_finite_gradients_in_bfloat16():
    from handpose import PoseEstimationNet

    torch.manual_seed(0)
    net, (keypoints, visible) = PoseEstimationNet(width=0.25, heads=4), setup(16)
    with torch.autocast("cpu", torch.bfloat16):
        maps = net(torch.rand(2, 3, 128, 128))
    PoseLoss()(maps, keypoints, visible)[0].backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_refuses():
    keypoints, visible = setup()
    with pytest.raises(ValueError):
        PoseLoss(1.5)
    with pytest.raises(ValueError):
        PoseLoss()([torch.zeros(3, 21, 32, 32)], keypoints, visible)
    maps = torch.zeros(2, 21, 32, 32)
    for mask in (torch.full((2, 21), 2, dtype=torch.uint8), visible.float()):  # COCO's visibility, and numbers
        with pytest.raises(ValueError, match="must be torch.bool"):
            PoseLoss()([maps], keypoints, mask)
    keypoints[0, 3] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        PoseLoss()([maps], keypoints, visible)
    visible[0, 3] = False  # now nobody asks for it
    total, _ = PoseLoss()([maps.requires_grad_()], keypoints, visible)
    total.backward()
    assert total.isfinite() and maps.grad.isfinite().all()
