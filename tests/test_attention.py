import pytest
import torch

from handpose import PoseEstimationNet, attention


@pytest.mark.parametrize("shape", [(1, 1, 4, 8), (2, 8, 64, 16)])
def test_readable_equals_fused_in_value_and_gradient(shape):
    torch.manual_seed(0)
    inputs = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    copies = [t.detach().clone().requires_grad_() for t in inputs]
    readable, weights = attention.attend(*inputs)
    fused = attention.attend_fused(*copies)
    assert torch.allclose(readable, fused, atol=1e-5)
    towards = torch.randn(shape)
    (readable * towards).sum().backward()
    (fused * towards).sum().backward()
    for a, b in zip(inputs, copies, strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)
    assert torch.allclose(weights.sum(-1), torch.ones(shape[:3]))


def test_fused_computes_in_float32_on_a_processor_whatever_autocast_asks():
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 8, 64, 8, generator=rng).bfloat16() for _ in range(3))
    with torch.autocast("cpu", torch.bfloat16):
        found = attention.attend_fused(q, k, v)
    exact, _ = attention.attend(q.float(), k.float(), v.float())
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, attention.attend_fused(q.float(), k.float(), v.float()).bfloat16())
    assert torch.allclose(found.float(), exact, atol=0.02)


def test_weights_by_hand():
    q = torch.tensor([[[[2.0]]]])  # one query, one channel
    k = torch.tensor([[[[0.0], [1.0]]]])
    v = torch.tensor([[[[10.0], [20.0]]]])
    out, weights = attention.attend(q, k, v)
    share = 1 / (1 + torch.exp(torch.tensor(-2.0)))  # softmax over (0, 2)
    assert torch.allclose(weights[0, 0, 0], torch.stack([1 - share, share]))
    assert torch.allclose(out, 10 + 10 * share)


def test_recorder_gives_the_weights_of_the_pass_and_detaches():
    torch.manual_seed(0)
    net = PoseEstimationNet(attention=(10, 14), width=0.25, heads=4).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = net(images)
        with attention.record(net) as weights:
            during = net(images)
        assert [tuple(w.shape) for w in weights] == [(2, 4, 64, 64)] * 2
        for w in weights:
            assert torch.allclose(w.sum(-1), torch.ones(2, 4, 64), atol=1e-5)
        assert type(before) is type(during)
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(before, during, strict=True))
        net(images)
        assert len(weights) == 2  # nothing more is recorded
    assert all(m.recorder is None for m in net.modules() if isinstance(m, attention.SelfAttention2d))


def test_recorder_detaches_after_an_error():
    net = PoseEstimationNet(width=0.25)
    with pytest.raises(ValueError), attention.record(net):
        net(torch.rand(1, 3, 60, 64))
    assert all(m.recorder is None for m in net.modules() if isinstance(m, attention.SelfAttention2d))


def test_recorded_weights_make_the_output():
    """The block's output, rebuilt from the recorded weights, is the block's output."""
    torch.manual_seed(0)
    block = attention.SelfAttention2d(32, heads=4).eval()
    x = torch.randn(2, 32, 6, 5)
    with torch.no_grad(), attention.record(block) as recorded:
        out = block(x)
        tokens = x.flatten(2).transpose(1, 2)
        value = block.value(block.norm(tokens)).view(2, 30, 4, 8).transpose(1, 2)
        rebuilt = tokens + block.out((recorded[0] @ value).transpose(1, 2).reshape(2, 30, 32))
    assert torch.allclose(out, rebuilt.transpose(1, 2).reshape(x.shape), atol=1e-5)


@pytest.mark.parametrize("position", attention.POSITIONS)
def test_any_grid(position):
    block = attention.SelfAttention2d(16, heads=2, position=position)
    for shape in ((2, 16, 3, 7), (1, 16, 32, 32)):
        assert block(torch.randn(shape)).shape == shape


def test_without_position_the_block_does_not_see_order():
    torch.manual_seed(0)
    x, order = torch.randn(1, 16, 1, 12), torch.randperm(12)
    for position, same in (("none", True), ("sine", False)):
        block = attention.SelfAttention2d(16, heads=2, position=position).eval()
        assert torch.allclose(block(x)[..., order], block(x[..., order]), atol=1e-5) is same


def test_sine_encoding_tells_cells_apart_and_scales():
    codes = attention.sine_encoding(32, 32, 64)
    assert codes.shape == (1024, 64) and codes.abs().max() <= 1
    distance = torch.cdist(codes, codes) + torch.eye(1024) * 9
    assert distance.min() > 0.5
    # The middle of the map has the same code on any odd grid.
    assert torch.allclose(attention.sine_encoding(5, 5, 64)[12], attention.sine_encoding(9, 9, 64)[40], atol=1e-4)
    later = attention.sine_encoding(8, 8, 64, start=(0.25, 0.125)).view(8, 8, -1)
    assert torch.allclose(later[:6, :7], attention.sine_encoding(8, 8, 64).view(8, 8, -1)[2:, 1:], atol=1e-4)


@pytest.mark.parametrize("arguments", [{"heads": 3}, {"heads": 0}, {"position": "cosine"}])
def test_refuses(arguments):
    with pytest.raises(ValueError):
        attention.SelfAttention2d(16, **arguments)
