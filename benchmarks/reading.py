"""Data: hands drawn a second, photographs read and cut a second; and how long the book and its tests take."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timing
import torch

from handpose.data import SyntheticHands, crops, drawing
from handpose.train import evaluate

ROOT = Path(__file__).resolve().parent.parent
DRAWN = 1000  # hands; some seconds of it are the start of the processes


def data_sources(repeats: int) -> dict:
    """Rendered hands a second, and labelled photographs read and cut a second where there are any."""
    cpu = torch.device("cpu")
    sets, counter = {size: SyntheticHands(size=size) for size in (128, 192, 256)}, iter(range(1, 10**9))
    for hands in sets.values():
        hands[0]
    tasks = {f"drawn_{size}": lambda h=hands: [h[next(counter)] for _ in range(8)] for size, hands in sets.items()}
    folder = Path(os.environ.get("HANDPOSE_DATA", "")) / "hand-keypoints"
    if os.environ.get("HANDPOSE_DATA") and folder.is_dir():
        from handpose.data.readers.hand_keypoints import HandKeypoints

        photos = HandKeypoints(folder)
        tasks["read"] = lambda: evaluate.crop_dataset(photos, 128, limit=16)
    seconds = timing.alternate(repeats, cpu, **tasks)
    found = {f"drawn_hands_per_second_{size}": 8 / seconds[f"drawn_{size}"] for size in sets}
    found |= {"drawn_hands_per_second_128_by_processes": drawn_by_processes(), "processes": drawing.cores()}
    return found | ({"photographs_read_per_second": 16 / seconds["read"]} if "read" in seconds else {})


def drawn_by_processes() -> float:
    """Hands a second as a training run draws them the first time."""
    before = os.environ.get("HANDPOSE_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HANDPOSE_CACHE"] = folder  # nothing is there yet
        try:
            start = time.perf_counter()
            crops.load_crops("synthetic", SyntheticHands(size=128, length=DRAWN, seed=2), 128, progress=False)
            return DRAWN / (time.perf_counter() - start)
        finally:
            os.environ.pop("HANDPOSE_CACHE")
            if before is not None:
                os.environ["HANDPOSE_CACHE"] = before


def seconds_of(command: list[str]) -> float:
    """Seconds that one of the project's own commands takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
