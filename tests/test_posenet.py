import pytest
import torch

from handpose import PoseEstimationNet
from handpose.posenet import TABLE1, row_outputs


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameters():
    assert count(PoseEstimationNet(attention=False)) == 2_735_992  # Table 1 to the letter
    assert count(PoseEstimationNet()) == 2_999_672
    assert count(PoseEstimationNet(attention=False, width=0.5)) == 696_408


def test_every_row_of_table_1():
    outputs = row_outputs(PoseEstimationNet(attention=False).eval(), torch.rand(1, 3, 256, 256))
    assert list(outputs) == list(range(1, 22))
    for row, (_, _, channels, side) in TABLE1.items():
        assert tuple(outputs[row].shape) == (1, channels, side, side), f"row {row}"


def test_every_row_has_the_printed_kernel():
    kernels = {m.row: m for m in PoseEstimationNet(attention=False).modules() if hasattr(m, "row")}
    for row, (name, kernel, *_) in TABLE1.items():
        convs = [m for m in kernels[row].modules() if isinstance(m, torch.nn.Conv2d)]
        assert [c.kernel_size for c in convs] == ([kernel] if name.lower().startswith("conv") and kernel else [])
        norms = [m for m in kernels[row].modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert len(norms) == (name == "Conv+relu+bn"), f"row {row}"


def test_row_17_adds_15_and_16_and_12_joins_10_and_11():
    outputs = row_outputs(PoseEstimationNet(attention=False, width=0.25).eval(), torch.rand(1, 3, 64, 64))
    assert torch.equal(outputs[17], outputs[16] + outputs[15])
    assert torch.equal(outputs[12], torch.cat([outputs[10], outputs[11]], 1))


@pytest.mark.parametrize("size", [(64, 64), (72, 136), (8, 8)])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_any_multiple_of_eight(size, stages):
    maps = PoseEstimationNet(width=0.25, heads=4, stages=stages).eval()(torch.rand(2, 3, *size))
    assert [tuple(m.shape) for m in maps] == [(2, 21, size[0] // 8, size[1] // 8)] * stages


@pytest.mark.parametrize(
    "arguments",
    [
        {"attention": (10, 14)},
        {"attention": True},
        {"position": "none"},
        {"position": "learned"},
        {"norm_after_relu": False},
    ],
)
def test_ablations_run(arguments):
    net = PoseEstimationNet(width=0.25, heads=4, **arguments)
    maps = net(torch.rand(2, 3, 32, 32))
    sum(m.sum() for m in maps).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_starts_near_the_mean_of_a_target():
    torch.manual_seed(0)
    for logits in PoseEstimationNet(attention=False, width=0.5).eval()(torch.rand(1, 3, 64, 64)):
        assert torch.sigmoid(logits).mean().item() == pytest.approx(0.043, abs=0.02)


def test_attention_is_the_only_global_path():
    """Without attention a cell of stage 1 sees 66 pixels; with it, every pixel."""
    for attention, far in ((False, False), ((10,), True)):
        torch.manual_seed(0)
        net = PoseEstimationNet(attention=attention, width=0.25, heads=4, stages=1).eval()
        images = torch.rand(1, 3, 256, 256, requires_grad=True)
        net(images)[0][0, 0, 16, 16].backward()
        read = images.grad[0].abs().sum(0).nonzero()
        width = int(read[:, 1].max() - read[:, 1].min()) + 1
        assert (width > 200) is far
        if not far:
            assert width == 66


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64), (1, 3, 0, 64)])
def test_refuses_other_inputs(shape):
    with pytest.raises(ValueError):
        PoseEstimationNet(width=0.25, heads=4)(torch.zeros(shape))


@pytest.mark.parametrize(
    "arguments", [{"attention": (12,)}, {"attention": (99,)}, {"stages": 0}, {"width": 0.001}, {"heads": 7}]
)
def test_refuses_other_arguments(arguments):
    with pytest.raises(ValueError):
        PoseEstimationNet(**arguments)
