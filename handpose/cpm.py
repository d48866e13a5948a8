"""The baselines of Table 2's question: Convolutional Pose Machines, and direct regression (Chapters 8 and 12).

The paper compares with CPM (Wei et al. 2016) and prints neither its size nor its training. Two published forms for
hands can be built and counted: the three-stage network of Zimmermann and Brox (2017), whose layout the paper's own
Table 1 resembles, and the six-stage one of Simon et al. (2017) in OpenPose. A convolutional pose machine
has no attention: it sees more of the picture by large kernels and more stages.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handpose.posenet import SCORE_BIAS, STRIDE, PoseEstimationNet
from handpose.scoremap import PAPER_SPREAD
from handpose.skeleton import NUM_JOINTS

SHARP = -math.log(1 / 0.95 - 1)  # logit of a regressed map's peak: a score of 0.95

#: Number of 3x3 convolutions and their channels, for each part between two poolings: VGG-19 up to its fourth part.
ANCESTOR = ((2, 64), (2, 128), (4, 256), (2, 512))
OPENPOSE = ((2, 64), (2, 128), (4, 256), (4, 512))


class ConvolutionalPoseMachine(nn.Module):
    """Score maps of 21 key-points, refined stage by stage (Chapter 8).

    A backbone of 3x3 convolutions with stride 8 ends in `encoding` channels of image features, F. Stage 1 makes maps of
    F by two 1x1 convolutions. Each further stage makes new ones of Concat(previous maps, F) by `layers` convolutions
    with a large kernel and two 1x1 convolutions. A ReLU follows every convolution but the last of a stage.

    Args:
        blocks: (convolutions, channels) of the backbone's four parts; a 2x2 pooling follows all but the last.
        context: channels of the 3x3 convolutions after them, before those that make F.
        encoding: channels of F.
        first: channels between the two 1x1 convolutions of stage 1.
        stages: number of score maps.
        kernel, layers, channels: of the large convolutions of a refining stage.
        width: factor on every number of channels but the 21 maps.
        norm: batch normalisation after every ReLU, as in the paper's own network. The published forms have none and
            start from trained weights; without either a network this deep hardly learns.

    Raises:
        ValueError: no stage, an even kernel, or a width that leaves no channels.
    """

    def __init__(
        self, *, blocks: Sequence[Sequence[int]] = ANCESTOR, context: Sequence[int] = (256, 256, 256, 256),
        encoding: int = 128, first: int = 512, stages: int = 3, kernel: int = 7, layers: int = 5, channels: int = 128,
        width: float = 1.0, norm: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if stages < 1 or layers < 1:
            raise ValueError(f"stages is {stages} and layers {layers}; at least one of each is needed")
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; it must be odd, so that it has a middle")
        if round(min(64, encoding, channels) * width) < 1:
            raise ValueError(f"width {width} leaves no channels")
        self.options = dict(
            blocks=[list(b) for b in blocks], context=list(context), encoding=encoding, first=first, stages=stages,
            kernel=kernel, layers=layers, channels=channels, width=width, norm=norm,
        )  # fmt: skip

        def wide(number: int) -> int:
            return round(number * width)

        def conv(inputs: int, outputs: int, side: int) -> list[nn.Module]:
            made = [nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.ReLU(inplace=True)]
            return made + [nn.BatchNorm2d(outputs)] * norm

        layered: list[nn.Module] = []
        inputs = 3
        for part, (number, outputs) in enumerate(blocks):
            layered += [nn.MaxPool2d(2)] if part else []
            for _ in range(number):
                layered += conv(inputs, inputs := wide(outputs), 3)
        for outputs in (*context, encoding):
            layered += conv(inputs, inputs := wide(outputs), 3)
        self.backbone = nn.Sequential(*layered)
        last = nn.Conv2d(wide(first), NUM_JOINTS, 1)
        self.first = nn.Sequential(*conv(wide(encoding), wide(first), 1), last)
        nn.init.constant_(last.get_parameter("bias"), SCORE_BIAS)
        self.refine = nn.ModuleList()
        for _ in range(stages - 1):
            inputs, layered = wide(encoding) + NUM_JOINTS, []
            for _ in range(layers):
                layered += conv(inputs, inputs := wide(channels), kernel)
            last = nn.Conv2d(inputs, NUM_JOINTS, 1)
            nn.init.constant_(last.get_parameter("bias"), SCORE_BIAS)
            self.refine.append(nn.Sequential(*layered, *conv(inputs, inputs, 1), last))

    @classmethod
    def ancestor(cls) -> "ConvolutionalPoseMachine":
        """The three-stage network of Zimmermann and Brox (2017): 17,518,847 parameters."""
        return cls(norm=False)

    @classmethod
    def openpose(cls) -> "ConvolutionalPoseMachine":
        """The six-stage network of Simon et al. (2017), without its map of the background: 36,799,806 parameters."""
        return cls(blocks=OPENPOSE, context=(512, 512), stages=6, norm=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """As `PoseEstimationNet.forward`: (B, 3, H, W) in [0, 1] to one (B, 21, H/8, W/8) of logits per stage."""
        features = self.backbone((images - 0.5) / 0.25)
        maps = [self.first(features)]
        for stage in self.refine:
            maps.append(stage(torch.cat([maps[-1], features], 1)))
        return maps


class DirectRegression(nn.Module):
    """Coordinates instead of maps (after Toshev and Szegedy 2014), on the paper's own encoder (Chapter 12).

    Rows 1-10 of Table 1, average pooling to 4x4 cells, one hidden layer, 42 numbers. So that the same loss, decoding
    and evaluation serve, each point is then drawn as a score map whose logit falls with the squared distance from it.
    The cross-entropy of such a map is the squared error of the point, up to a constant, as long as the point is not at
    the map's edge: this *is* regression.

    Args:
        width: factor on the encoder's channels.
        hidden: units of the hidden layer.
    """

    SIDE = 4  # cells per side that the encoder's output is pooled to

    def __init__(self, *, width: float = 1.0, hidden: int = 256) -> None:
        super().__init__()
        self.options = dict(width=width, hidden=hidden)
        trunk = PoseEstimationNet(attention=False, width=width, stages=1)
        self.encoder = nn.Sequential(*(trunk.encoder[f"row{row}"] for row in range(1, 11)))
        channels = round(256 * width)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(self.SIDE), nn.Flatten(), nn.Linear(channels * self.SIDE**2, hidden),
            nn.ReLU(inplace=True), nn.Linear(hidden, 2 * NUM_JOINTS),
        )  # fmt: skip

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] to a list of one (B, 21, H/8, W/8): logits that peak at the regressed points."""
        height, width = images.shape[-2] // STRIDE, images.shape[-1] // STRIDE
        output = self.head(self.encoder((images - 0.5) / 0.25)).float()
        # 0 is the middle of the crop and 1 half a side from it. The points may leave the crop, a little.
        keypoints = (1 + 1.2 * torch.tanh(output.view(-1, NUM_JOINTS, 2) / 1.2)) / 2
        side = torch.tensor([width, height], device=output.device)
        x, y = (keypoints * side - 0.5)[..., None, None].unbind(2)  # (B, 21, 1, 1) each, in cells
        across = torch.arange(width, device=output.device)
        down = torch.arange(height, device=output.device)[:, None]
        spread = PAPER_SPREAD * max(height, width)
        return [SHARP - ((across - x) ** 2 + (down - y) ** 2) / spread**2]
