"""The networks from pixels to numbers, in PyTorch: what the pipeline runs, and what is exported, is one and the same.

Each takes what a picture gives, uint8 and channels last, and returns what the pipeline goes on with.
"""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from handpose import detector, scoremap
from handpose.posenet import STRIDE


def pixels(images: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 as the networks take it: (B, 3, S, S) float32 in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float() / 255


class Keypoints(nn.Module):
    """A pose network with its last stage decoded (Chapter 4)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (B, S, S, 3) uint8 to points (B, 21, 2) in their pixels and scores (B, 21)."""
        keypoints, scores = scoremap.decode(self.net(pixels(crops))[-1])
        return scoremap.to_pixels(keypoints, STRIDE), scores


_anchors = functools.cache(detector.anchors)


class Boxes(nn.Module):
    """A detector with its boxes decoded, all of them, whatever their confidence (Chapter 3).

    Args:
        net: the detector.
        size: side of its input in pixels.
    """

    def __init__(self, net: nn.Module, size: int = detector.SIZE) -> None:
        super().__init__()
        self.net, self.default = net, _anchors(size)

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, S, S, 3) uint8 to boxes (B, A, 4) in their pixels and confidences (B, A)."""
        logits, offsets = self.net(pixels(squares))
        return detector.decode(offsets, self.default.to(offsets.device)), logits.sigmoid()


class Signs(nn.Module):
    """A classifier of signs with its probabilities (Chapter 10)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.labels = net, len(net.labels)  # type: ignore[arg-type]  # a module has any attribute

    def forward(self, keypoints: Tensor) -> tuple[Tensor]:
        """Normalised points (B, 21, 2) to probabilities (B, labels)."""
        return (self.net(keypoints)[:, : self.labels].softmax(1),)


def end_to_end(kind: str, net: nn.Module, size: int = detector.SIZE) -> nn.Module:
    """A network of the kind "pose", "detector" or "gesture" from pixels to numbers; `size` is its input's side."""
    return Boxes(net, size) if kind == "detector" else {"pose": Keypoints, "gesture": Signs}[kind](net)


@torch.inference_mode()
def run(kind: str, net: nn.Module, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """`handpose.arrays.run` for a network of PyTorch: inputs and outputs are arrays shaped as there."""
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    given = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
    return tuple(found.float().cpu().numpy() for found in end_to_end(kind, net, given.shape[1])(given))
