"""What the tests of several commands share."""

import numpy as np
import pytest

from handpose import HandPose
from handpose.confidence import Confidence
from handpose.pipeline import Hand


@pytest.fixture
def quick(monkeypatch):
    """In place of HandPose: a hand at (10, 20) of the photograph."""

    def find(image, boxes=None, **_):
        keypoints = np.full((21, 2), (10, 20), np.float32)
        return [Hand(keypoints, np.full(21, 0.8, np.float32), np.array((5, 5, 30, 40), np.float32), 0.9)]

    find.confidence = Confidence(0, 1, 0, alone=(-11, 20))
    monkeypatch.setattr(HandPose, "from_pretrained", lambda *args, **options: find)
