"""Multihead Self Attention Hand Pose Estimation, rebuilt: the package under the book.

What stands here is imported when it is first used, so ``import handpose`` waits for neither PyTorch nor OpenCV.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what a type checker or an editor reads in place of `__getattr__`
    from handpose import (
        apply,
        arrays,
        attention,
        book,
        confidence,
        cpm,
        crop,
        data,
        detector,
        devices,
        files,
        gesturenet,
        losses,
        metrics,
        networks,
        pipeline,
        posenet,
        pretrained,
        scoremap,
        skeleton,
        study,
        tiles,
        train,
    )  # fmt: skip
    from handpose.attention import SelfAttention2d
    from handpose.detector import HandDecNet
    from handpose.losses import PoseLoss
    from handpose.pipeline import HandPose
    from handpose.posenet import PoseEstimationNet

__version__ = "0.1.0"

__all__ = [
    "HandDecNet", "HandPose", "PoseEstimationNet", "PoseLoss", "SelfAttention2d",
    "apply", "arrays", "attention", "book", "confidence", "cpm", "crop", "data", "detector", "devices", "files",
    "gesturenet", "losses", "metrics", "networks", "pipeline", "posenet", "pretrained", "scoremap", "skeleton",
    "study", "tiles", "train",
]  # fmt: skip

#: The module of each public class; every other public name is a module.
_HOMES = {"HandDecNet": "detector", "HandPose": "pipeline", "PoseEstimationNet": "posenet", "PoseLoss": "losses",
          "SelfAttention2d": "attention"}  # fmt: skip


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
