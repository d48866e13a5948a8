"""The baselines and controls: their sizes, and that each is what it is compared as."""

import dataclasses

import pytest
import torch

import handpose
from handpose import attention, losses, pretrained, scoremap
from handpose.cpm import ConvolutionalPoseMachine, DirectRegression
from handpose.train import config, records


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_the_published_forms():
    """Counts of the two programs' own layers: convolutions with a bias, one by one."""

    def conv(inputs, outputs, side):
        return side * side * inputs * outputs + outputs

    vgg = [conv(a, b, 3) for a, b in ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256))] + 3 * [conv(256, 256, 3)]
    ancestor = [*vgg, conv(256, 512, 3), conv(512, 512, 3), conv(512, 256, 3), *3 * [conv(256, 256, 3)]]
    ancestor += [conv(256, 128, 3), conv(128, 512, 1), conv(512, 21, 1)]
    refine = [conv(149, 128, 7), *4 * [conv(128, 128, 7)], conv(128, 128, 1), conv(128, 21, 1)]
    assert parameters(ConvolutionalPoseMachine.ancestor()) == sum(ancestor + 2 * refine) == 17_518_847
    openpose = [*vgg, conv(256, 512, 3), *5 * [conv(512, 512, 3)], conv(512, 128, 3), conv(128, 512, 1)]
    assert parameters(ConvolutionalPoseMachine.openpose()) == sum([*openpose, conv(512, 21, 1), *5 * refine])
    assert parameters(ConvolutionalPoseMachine.openpose()) == pytest.approx(36.8e6, rel=1e-3)


@pytest.mark.parametrize(("scale", "width"), [("paper", 0.464), ("laptop", 0.228)])
def test_the_matched_pose_machine(scale, width):
    """As many operations as the paper's network, within 3 %, and more parameters: the kinder of the two matches."""
    settings = config.load(scale)
    ours, other = config.build(settings.network), ConvolutionalPoseMachine(width=width)
    size = settings.crop.size
    assert records.macs(other, size) == pytest.approx(records.macs(ours, size), rel=0.03)
    assert parameters(other) > 1.2 * parameters(ours)


@pytest.mark.parametrize(("scale", "same_weights", "same_work"), [("paper", 57, 171), ("laptop", 28, 57)])
def test_the_controls(scale, same_weights, same_work):
    settings = config.load(scale)
    width, size = settings.network.width, settings.crop.size
    channels, cells = round(256 * width), (size // 8) ** 2
    assert attention.control_width(channels) == same_weights
    assert attention.control_width(channels, cells) == same_work
    net = {c: handpose.PoseEstimationNet(width=width, control=c) for c in (0, same_weights, same_work)}
    without = handpose.PoseEstimationNet(width=width, attention=False)
    weights = {c: parameters(n) - parameters(without) for c, n in net.items()}
    work = {c: records.macs(n, size) - records.macs(without, size) for c, n in net.items()}
    assert weights[same_weights] == pytest.approx(weights[0], rel=0.03)
    assert work[same_work] == pytest.approx(work[0], rel=0.03)
    assert weights[same_work] > 1.9 * weights[0] and work[same_weights] < 0.55 * work[0]


def test_the_control_reads_five_cells_and_attention_all():
    for control, reach in ((16, 2), (0, 15)):
        torch.manual_seed(0)
        block = attention.ResidualConvolution(32, control) if control else attention.SelfAttention2d(32)
        x = torch.randn(1, 32, 16, 16, requires_grad=True)
        # Not a plain sum: LayerNorm makes the sum over a cell's channels indifferent to the cell.
        (block(x)[0, :, 8, 8] * torch.randn(32)).sum().backward()
        read = (x.grad.abs().sum(1)[0] > 0).nonzero()
        assert (read - 8).abs().max() == min(reach, 8)


@pytest.mark.parametrize("kind", ["cpm", "regression"])
def test_they_train_like_the_network_and_come_back_from_a_file(kind, tmp_path):
    torch.manual_seed(0)
    network = config.Network(kind=kind, width=0.125, stages=3)
    net = config.build(network)
    images, keypoints = torch.rand(4, 3, 64, 64), torch.rand(4, 21, 2) * 50 + 5
    optimiser, loss = torch.optim.Adam(net.parameters(), lr=3e-3), losses.PoseLoss()
    course = []
    for _ in range(12):
        maps = net(images)
        total, _ = loss(maps, keypoints, torch.ones(4, 21, dtype=torch.bool))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        course.append(total.item())
    assert course[-1] < 0.9 * course[0] and len(maps) == (3 if kind == "cpm" else 1) and maps[0].shape == (4, 21, 8, 8)
    pretrained.save(tmp_path / "w.safetensors", net, 64)
    again, size = pretrained.load(tmp_path / "w.safetensors")
    assert size == 64 and type(again) is type(net) and again.options == net.options
    with torch.no_grad():
        assert torch.allclose(again(images)[-1], net.eval()(images)[-1], atol=0.1)


def test_regression_regresses():
    """Decoding the drawn map gives the very point, and the cross-entropy is its squared error but for a constant."""
    net = DirectRegression(width=0.125).eval()
    wanted = torch.tensor([0.3, -0.2])  # from the middle, in halves of the side
    with torch.no_grad():
        net.head[-1].weight.zero_()
        net.head[-1].bias.copy_((1.2 * torch.atanh(wanted / 1.2)).repeat(21))
        (maps,) = net(torch.rand(1, 3, 128, 128))
    keypoints = ((wanted + 1) * 64 - 0.5).expand(1, 21, 2)
    assert torch.allclose(scoremap.to_pixels(scoremap.decode(maps)[0], 8), keypoints, atol=0.2)  # a fortieth of a cell

    def cross_entropy(shift):
        target = keypoints + torch.tensor([shift, 0.0])
        return losses.PoseLoss(alpha=1.0)([maps], target, torch.ones(1, 21, dtype=torch.bool))[1]["cross_entropy"]

    rise = [float(cross_entropy(s) - cross_entropy(0.0)) for s in (8.0, 16.0)]
    assert rise[1] == pytest.approx(4 * rise[0], rel=0.02)  # twice as far, four times the loss


def test_only_the_last_stage_when_told_so():
    net = ConvolutionalPoseMachine(width=0.125)
    keypoints, visible = torch.rand(2, 21, 2) * 60, torch.ones(2, 21, dtype=torch.bool)
    for every in (True, False):
        maps = [m.detach().requires_grad_() for m in net(torch.rand(2, 3, 64, 64))]
        total, parts = losses.PoseLoss(every_stage=every)(maps, keypoints, visible)
        total.backward()
        assert [m.grad is not None for m in maps] == [every, every, True]
        assert total.item() == pytest.approx(sum(parts[f"stage{k}"].item() for k in ((1, 2, 3) if every else (3,))))


def test_configurations_name_what_they_cannot_be():
    values = dataclasses.asdict(config.load("laptop"))
    with pytest.raises(config.ConfigError, match="network.kind is 'dpm'; choose one of msahp, cpm, regression"):
        config.from_dict(values | {"network": values["network"] | {"kind": "dpm"}})
    with pytest.raises(config.ConfigError, match="control is -1"):
        config.from_dict(values | {"network": values["network"] | {"control": -1}})
    with pytest.raises(ValueError, match="must be odd"):
        ConvolutionalPoseMachine(kernel=6)
