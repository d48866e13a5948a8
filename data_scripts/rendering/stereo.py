"""The layout of the Stereo Hand Pose benchmark: 12 sequences seen by two cameras. A task is (sequence, frame)."""

from functools import lru_cache
from pathlib import Path

import cv2

from handpose import files
from handpose.data.readers import stb
from rendering.writing import encoded, write


def tasks(number: int) -> list[tuple[str, int]]:
    """(sequence, frame) of every pair of pictures."""
    return [(name, frame) for name in stb.SEQUENCES for frame in range(number)]


def paths(out: Path, task: tuple) -> list[Path]:
    """The left and the right picture."""
    return [out / "images" / task[0] / f"{view}_{task[1]}.png" for view in ("BB_left", "BB_right")]


@lru_cache(maxsize=2)
def stereo_sequence(seed: int, name: str, frames: int):
    """A whole sequence's motion; kept, because its frames come one after the other."""
    from handpose.data.synthetic.sequence import StereoSequence

    return StereoSequence(seed, name, frames)


def draw(out: Path, settings: dict, task: tuple) -> None:
    """Draw a frame, both of its pictures or the one that is missing, and write them."""
    sequence = stereo_sequence(settings["seed"], task[0], settings["number"])
    for file in paths(out, task):
        if not file.exists():
            image = sequence.image(task[1], file.stem.rsplit("_", 1)[0])
            write(file, encoded(".png", image, cv2.IMWRITE_PNG_COMPRESSION, 3))


def labels(out: Path, settings: dict) -> None:
    """All label files. They come last: without them a reader sees that pictures are still being drawn."""
    from scipy.io import savemat

    for name in stb.SEQUENCES:
        file = out / "labels" / f"{name}_BB.mat"
        if not file.exists():
            para = stereo_sequence(settings["seed"], name, settings["number"]).hand_para()
            with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
                savemat(stream, {"handPara": para})
