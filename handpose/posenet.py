"""PoseEstimationNet: Table 1 of the paper, row by row, with self-attention as the bottleneck (Chapters 5 and 12).

Every layer carries the id of its row in Table 1 (``module.row``), and `row_outputs` gives what each
row computes. Rows 1-10 are the encoder (stride 8), row 11 the first score map, rows 12-21 a second
stage that refines it. The table has no row for attention; by default one block follows row 10, where
the encoder ends: rows 10 and 20 see 66 and 194 pixels of the 256-pixel crop, attention sees all of it.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from handpose import scoremap
from handpose.attention import ResidualConvolution, SelfAttention2d
from handpose.skeleton import NUM_JOINTS

STRIDE = 8  # pixels of the input per cell of a score map

#: Start of the last bias before a sigmoid: sigmoid(-3.1) = 0.043, about the mean of a target map, so that
#: the second part of the loss starts near 0.9 instead of above 10.
SCORE_BIAS = -3.1

#: Table 1 as printed: row id -> (name, kernel, output channels, output side for a 256-pixel input).
TABLE1: dict[int, tuple[str, tuple[int, int] | None, int, int]] = {
    1: ("Conv+relu+bn", (3, 3), 64, 256),
    2: ("maxpool", (2, 2), 64, 128),
    3: ("Conv+relu+bn", (3, 3), 96, 128),
    4: ("Conv+relu+bn", (3, 3), 96, 128),
    5: ("maxpool", (2, 2), 96, 64),
    6: ("Conv+relu+bn", (3, 3), 128, 64),
    7: ("Conv+relu+bn", (3, 3), 128, 64),
    8: ("maxpool", (2, 2), 128, 32),
    9: ("Conv+relu+bn", (3, 3), 256, 32),
    10: ("Conv+relu+bn", (3, 3), 256, 32),
    11: ("conv", (1, 1), 21, 32),
    12: ("Concat(10,11)", None, 277, 32),
    13: ("Conv+relu+bn", (3, 3), 128, 32),
    14: ("Conv+relu+bn", (3, 3), 128, 32),
    15: ("Conv+relu+bn", (5, 5), 128, 32),
    16: ("Conv+relu+bn", (5, 5), 128, 32),
    17: ("ElementAdd(16,15)", None, 128, 32),
    18: ("Conv+relu", (3, 3), 128, 32),
    19: ("conv", (1, 3), 21, 32),
    20: ("conv", (3, 1), 21, 32),
    21: ("conv", (1, 1), 21, 32),
}
#: Rows after which an attention block can stand: those that end in features, not in a score map.
ATTENTION_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18)


class Concat(nn.Module):
    """Row 12: feature maps side by side along the channels (Chapter 12)."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Maps (B, C1, h, w), (B, C2, h, w), ... as one (B, C1 + C2 + ..., h, w)."""
        return torch.cat(maps, dim=1)


class Add(nn.Module):
    """Row 17: the sum of two maps, the table's only residual connection (Chapter 12)."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two maps (B, C, h, w) as their sum (B, C, h, w)."""
        return a + b


def _layer(row: int, inputs: int, outputs: int, norm_after_relu: bool) -> nn.Module:
    """A row of Table 1 with so many channels."""
    name, kernel, *_ = TABLE1[row]
    module: nn.Module = nn.MaxPool2d(2)
    if name != "maxpool":
        assert kernel  # rows 12 and 17 are modules of their own
        conv = nn.Conv2d(inputs, outputs, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
        relu, norm = nn.ReLU(inplace=True), nn.BatchNorm2d(outputs)
        if name == "conv":
            module = conv
        elif name == "Conv+relu":
            module = nn.Sequential(conv, relu)
        else:
            module = nn.Sequential(conv, *((relu, norm) if norm_after_relu else (norm, relu)))
    module.row = row  # type: ignore[assignment]  # torch's stubs know no attribute that is a number
    return module


class PoseEstimationNet(nn.Module):
    """Score maps of 21 key-points from a square crop of one hand (section 3.2, Table 1; Chapter 5).

    Args:
        attention: rows after which a self-attention block stands, or False for Table 1 to the letter.
            A row above 11 gets a block of its own in every refining stage.
        heads: heads per attention block.
        position: "sine", "learned" or "none"; see `handpose.attention`.
        width: factor on every number of channels but the 21 maps.
        stages: number of score maps. 1 ends at row 11; each further stage repeats rows 12-21 on
            Concat(row 10, previous map).
        norm_after_relu: Conv-ReLU-BN as printed; False gives the usual Conv-BN-ReLU.
        control: with a number, two 3x3 convolutions with so many hidden channels stand in place of every attention
            block; see `handpose.attention.control_width`.

    Raises:
        ValueError: a row that cannot carry attention, no stage, or a width that leaves no channels.
    """

    def __init__(
        self,
        *,
        attention: bool | Sequence[int] = (10,),
        heads: int = 8,
        position: str = "sine",
        width: float = 1.0,
        stages: int = 2,
        norm_after_relu: bool = True,
        control: int = 0,
    ) -> None:
        super().__init__()
        rows = () if attention is False else (10,) if attention is True else tuple(attention)
        if wrong := sorted(set(rows) - set(ATTENTION_ROWS)):
            raise ValueError(f"attention cannot follow row {wrong[0]}; possible rows are {ATTENTION_ROWS}")
        if stages < 1:
            raise ValueError(f"stages is {stages}; at least one is needed")
        if round(64 * width) < 1:
            raise ValueError(f"width {width} leaves no channels")
        if control < 0:
            raise ValueError(f"control is {control}; it is a number of channels, or 0 for attention")
        self.options: dict[str, Any] = dict(attention=rows or False, heads=heads, position=position, width=width,
                                            stages=stages, norm_after_relu=norm_after_relu)  # fmt: skip
        self.options |= {"control": control} if control else {}

        def channels(row: int) -> int:
            return TABLE1[row][2] if row in (11, 19, 20, 21) else round(TABLE1[row][2] * width)

        def layer(row: int, inputs: int) -> nn.Module:
            return _layer(row, inputs, channels(row), norm_after_relu)

        def block(row: int) -> nn.Module:
            if control:
                return ResidualConvolution(channels(row), control)
            return SelfAttention2d(channels(row), heads=heads, position=position)

        def attention_after(first: int, last: int) -> nn.ModuleDict:
            return nn.ModuleDict({f"row{row}": block(row) for row in rows if first <= row <= last})

        def stage() -> nn.ModuleDict:
            layers: dict[str, nn.Module] = {"row12": Concat(), "row17": Add()}
            inputs = channels(10) + NUM_JOINTS
            for row in (13, 14, 15, 16, 18, 19, 20, 21):
                layers[f"row{row}"] = layer(row, inputs)
                inputs = channels(row)
            layers["row12"].row, layers["row17"].row = 12, 17  # type: ignore[assignment]
            layers["attention"] = attention_after(13, 18)
            nn.init.constant_(layers["row21"].get_parameter("bias"), SCORE_BIAS)
            return nn.ModuleDict(layers)

        self.encoder, inputs = nn.ModuleDict(), 3
        for row in range(1, 11):
            self.encoder[f"row{row}"] = layer(row, inputs)
            inputs = channels(row)
        self.encoder["attention"] = attention_after(1, 10)
        self.row11 = layer(11, inputs)
        nn.init.constant_(self.row11.get_parameter("bias"), SCORE_BIAS)
        self.refine = nn.ModuleList(stage() for _ in range(stages - 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Score maps of every stage.

        Args:
            images: (B, 3, H, W) float in [0, 1]; H and W multiples of 8.

        Returns:
            One (B, 21, H/8, W/8) tensor of logits per stage, the last one the best.

        Raises:
            ValueError: the input has another shape.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must have shape (B, 3, H, W), not {tuple(images.shape)}")
        if images.shape[2] % STRIDE or images.shape[3] % STRIDE or 0 in images.shape:
            raise ValueError(f"height and width must be multiples of {STRIDE}, not {tuple(images.shape[2:])}")

        def run(layers: nn.ModuleDict, row: int, *inputs: Tensor) -> Tensor:
            x = layers[f"row{row}"](*inputs)
            after = cast(nn.ModuleDict, layers["attention"])
            return after[f"row{row}"](x) if f"row{row}" in after else x

        x = (images - 0.5) / 0.25
        for row in range(1, 11):
            x = run(self.encoder, row, x)
        features = x  # (B, 256, H/8, W/8)
        maps = [self.row11(features)]
        for stage in cast(list[nn.ModuleDict], self.refine):
            x = stage["row12"](features, maps[-1])
            for row in (13, 14, 15):
                x = run(stage, row, x)
            x = run(stage, 17, run(stage, 16, x), x)
            for row in (18, 19, 20, 21):
                x = run(stage, row, x)
            maps.append(x)
        return maps


def row_outputs(net: PoseEstimationNet, images: Tensor) -> dict[int, Tensor]:
    """What every row of Table 1 computes in one forward pass, row id -> (B, C, h, w).

    A row's output is the layer's own, before an attention block that may follow. With more than two
    stages the rows above 11 are those of the last stage.
    """
    outputs: dict[int, Tensor] = {}

    def keep(module: nn.Module, _inputs: tuple, output: Tensor) -> None:
        outputs[cast(int, module.row)] = output

    hooks = [m.register_forward_hook(keep) for m in net.modules() if hasattr(m, "row")]
    try:
        with torch.no_grad():
            net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return dict(sorted(outputs.items()))


@torch.inference_mode()
def predict_crops(net: nn.Module, crops: np.ndarray, *, batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Key-points of crops, by every stage of a network.

    Args:
        net: maps (B, 3, s, s) in [0, 1] to a list of (B, 21, s/8, s/8) logits; its device is used.
        crops: (N, s, s, 3) uint8.

    Returns:
        Points (stages, N, 21, 2) in pixels of the crop, scores (stages, N, 21); float32.
    """
    device = next(net.parameters()).device
    if training := net.training:
        net.eval()
    keypoints, scores = [], []
    for start in range(0, len(crops), batch):
        images = torch.from_numpy(crops[start : start + batch]).to(device).permute(0, 3, 1, 2).float() / 255
        maps = net(images)
        found, peaks = scoremap.decode(torch.cat(maps))  # all stages at once
        keypoints.append(scoremap.to_pixels(found, STRIDE).unflatten(0, (len(maps), -1)).cpu())
        scores.append(peaks.unflatten(0, (len(maps), -1)).cpu())
    if training:
        net.train()
    return torch.cat(keypoints, 1).numpy(), torch.cat(scores, 1).numpy()
