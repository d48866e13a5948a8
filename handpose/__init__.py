"""Multihead Self Attention Hand Pose Estimation, rebuilt: the package under the book."""

__version__ = "0.1.0"

from handpose import attention, crop, data, losses, metrics, scoremap, skeleton
from handpose.attention import SelfAttention2d
from handpose.detector import HandDecNet
from handpose.losses import PoseLoss
from handpose.posenet import PoseEstimationNet

__all__ = [
    "HandDecNet", "HandPose", "PoseEstimationNet", "PoseLoss", "SelfAttention2d",
    "attention", "crop", "data", "losses", "metrics", "scoremap", "skeleton",
]  # fmt: skip


def __getattr__(name: str):
    if name == "HandPose":
        from handpose.pipeline import HandPose

        return HandPose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
