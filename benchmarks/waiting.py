"""What people wait for: the start, a still picture, a frame of a followed hand; beside MediaPipe's where it is
installed. All in one run and in turns, as ratios: times of a busy or a slow machine say nothing by themselves."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import peer
import torch

from handpose import HandPose, data
from handpose.apply import prepared
from handpose.apply.tracking import Tracker
from handpose.data import SyntheticHands

ROOT = Path(__file__).resolve().parent.parent


def start(repeats: int) -> dict[str, float]:
    """From the command to its end: a bare interpreter, `import handpose`, and a photograph by each backend."""
    prepared.make()
    with tempfile.TemporaryDirectory() as folder:
        photo = str(Path(folder) / "hand.png")
        cv2.imwrite(photo, cv2.resize(SyntheticHands(split="test")[3].image, (640, 480))[..., ::-1])
        predict = ["-m", "handpose", "predict", photo, "--backend"]
        commands = {"python": ["-c", ""], "import_handpose": ["-c", "import handpose"],
                    "import_torch": ["-c", "import torch"], "predict": [*predict, "onnx"],
                    "predict_torch": [*predict, "torch"]}  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                begun = time.perf_counter()
                subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
                times[name].append(time.perf_counter() - begun)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    bare = seconds.pop("python")
    return {"seconds_python": bare} | {f"{name}_over_python": s / bare for name, s in seconds.items()} | {
        "predict_over_import_torch": seconds["predict"] / seconds["import_torch"]}  # fmt: skip


def beside(peer_python: str | None, threads: int) -> dict[str, float]:
    """Still pictures and followed frames, each engine's over MediaPipe's lite model, or without it over our default.

    Of stills the median and what nine in ten stay below; of followed frames the mean of all, because a frame that asks
    the detector is waited for as well.
    """
    source = ("asl-letters", "val") if os.environ.get("HANDPOSE_DATA") else ("synthetic", "test")
    engines: dict[str, Callable] = {"onnx": peer.Ours("onnx"), "torch": peer.Ours("torch")}
    about, missing = peer.about_peer(peer_python)
    if about:
        engines |= {"lite": peer.MediaPipe(peer_python, 0), "full": peer.MediaPipe(peer_python, 1)}
    else:
        print(f"MediaPipe is not measured ({missing})")
    base = "lite" if about else "onnx"
    speeds = peer.speed(engines, *source, threads=threads, busy=False)["engines"]
    still, followed = speeds[base]["still"]["median_ms"], speeds[base]["followed"]["mean_ms"]
    found = {f"milliseconds_still_{base}": still, f"milliseconds_followed_{base}": followed}
    for name, row in speeds.items():
        found[f"still_{name}_over_{base}"] = row["still"]["median_ms"] / still
        found[f"still_{name}_p90_over_median"] = row["still"]["p90_ms"] / row["still"]["median_ms"]
        found[f"followed_{name}_over_{base}"] = row["followed"]["mean_ms"] / followed
        found[f"followed_{name}_over_still"] = row["followed"]["mean_ms"] / row["still"]["median_ms"]
    return found


def followed(repeats: int) -> dict[str, float]:
    """A followed frame beside its network; left are the crop, smoothing and copies."""
    hp = HandPose.from_pretrained(backend="onnx")
    samples = data.open("synthetic", "test")
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, (1, hp.size, hp.size, 3), dtype=np.uint8)
    rest = []
    for clip in range(peer.CLIPS):
        frames = peer.moved(samples[clip].image)
        for _ in range(max(1, repeats // 3)):
            tracker = Tracker(hp)
            for frame in frames:
                begun = time.perf_counter()
                hands = tracker(frame)
                frame_seconds = time.perf_counter() - begun
                if not tracker.looked and len(hands) == 1:
                    begun = time.perf_counter()
                    hp.networks["pose"](crop)
                    rest.append((frame_seconds, time.perf_counter() - begun))
    frame_seconds, network = np.median(rest, axis=0)
    return {
        "frame_over_network": frame_seconds / network,
        "milliseconds_beside_network": 1e3 * (frame_seconds - network),
    }


def looks(clips: int) -> dict[str, float]:
    """How often the detector looks while a hand is followed that moves and turns, and how often hands are lost."""
    hp, result = HandPose.from_pretrained(backend="onnx"), {}
    sources = [("synthetic", "test")]
    if os.environ.get("HANDPOSE_DATA"):
        sources += [("asl-letters", "all"), ("wild", "val"), ("hand-keypoints", "val")]
    for source, split in sources:
        samples = data.open(source, split)
        chosen = np.linspace(0, min(len(samples), 1000) - 1, clips).round().astype(int)
        looked = frames = lost = without = 0
        for i in chosen:
            tracker = Tracker(hp)
            for frame in turning(peer.moved(samples[int(i)].image)):
                before = tracker.numbers
                tracker(frame)
                if before:
                    looked, frames = looked + tracker.looked, frames + 1
                    lost += not set(before) & set(tracker.numbers)
            without += not tracker.count
        result[f"{source}_looks_per_followed_frame"] = looked / frames
        result[f"{source}_tracks_lost_in_1000_frames"] = 1000 * lost / frames
        result[f"{source}_clips_without_a_hand"] = without / clips
    return result


def turning(frames: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames turned to and fro about their middle, by a degree and a half each."""
    height, width = frames[0].shape[:2]
    for k, frame in enumerate(frames):
        turned_by = 1.5 * (peer.FRAMES / 4 - abs(k - peer.FRAMES / 2))
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turned_by, 1)
        yield cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def many(images: int, frames: int) -> dict[str, float]:
    """`predict` on so many pictures, and on a video of so many frames, over a tenth of them: the most memory, and the
    processor's time for each."""
    code = (
        "import sys; from handpose.__main__ import main; main(sys.argv[1:]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )  # ru_maxrss counts the parent's too
    image, result = SyntheticHands(split="test")[3].image, {"pictures": images, "frames_of_a_video": frames}
    for name, number in (("pictures", images), ("video", frames)):
        most, seconds = [], []
        for n in (number // 10, number):
            with tempfile.TemporaryDirectory() as folder:
                source = _video(image, f"{folder}/video.mp4", n) if name == "video" else _copies(image, folder, n)
                before = os.times()
                done = subprocess.run([sys.executable, "-c", code, "predict", source, "--json", f"{folder}/out.jsonl"],
                                      cwd=ROOT, check=True, capture_output=True, text=True)  # fmt: skip
                after = os.times()
                seconds.append((after.children_user + after.children_system - sum(before[2:4])) / n)
                most.append(int(done.stdout.split()[-1]))
        result[f"{name}_memory_over_a_tenth"] = most[1] / most[0]
        result[f"{name}_processor_time_each_over_a_tenth"] = seconds[1] / seconds[0]
    return result


def _copies(image: np.ndarray, folder: str, number: int) -> str:
    for k in range(number):
        cv2.imwrite(f"{folder}/{k:06}.jpg", image)
    return folder


def _video(image: np.ndarray, file: str, number: int) -> str:
    frames = [frame[..., ::-1] for frame in peer.moved(image)]
    writer = cv2.VideoWriter(file, cv2.VideoWriter.fourcc(*"mp4v"), 30, peer.CANVAS)
    for k in range(number):
        writer.write(frames[k % len(frames)])
    writer.release()
    return file


def all_of_it(peer_python: str | None, repeats: int) -> dict[str, Callable[[], dict]]:
    """The measurements by their names in the record."""
    return {
        "start": lambda: start(max(2, repeats // 2)),
        "a followed frame": lambda: followed(repeats),
        "looks of the detector": lambda: looks(repeats),
        "many pictures": lambda: many(100 * repeats, 1000 * repeats),
        "beside MediaPipe": lambda: beside(peer_python, torch.get_num_threads()),
    }
