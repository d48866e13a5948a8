"""Beside a production tracker: MediaPipe's hand solution and ours on the same photographs, in one run.

    python3.11 -m venv PEER && PEER/bin/pip install mediapipe==0.10.21 scikit-image==0.26.0  # once
    HANDPOSE_DATA=... python benchmarks/peer.py --peer-python PEER/bin/python [--only WORD] [--busy] [--json F]

Both take the pictures as they come. MediaPipe's models (lite and full) ship with its package, and its thresholds are
its own; ours are the bundled weights on the processor. Measured: hands found, key-points end to end (a hand not found
is wrong) and, ours only, with the box given; `wild/val` turned; hands found where people drew the boxes; hands seen
where there is none, beside hands and in the everyday pictures that scikit-image brings; milliseconds. Without the other
interpreter ours is measured alone. `--only speed` times alone, on a machine that does nothing else, and keeps the
record's other results.
"""

import argparse
import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import peer_scores as scores
import timing
import torch

from handpose import HandPose, data, devices, files, pretrained
from handpose.apply import prepared
from handpose.apply.tracking import Tracker
from handpose.data import scenes
from handpose.data.common import read_image
from handpose.data.readers.asl_letters import AslLetters
from handpose.detector import keypoints_to_box
from handpose.train import records

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "book" / "results" / "peer" / "peer.json"
OTHER_HALF = Path(__file__).with_name("peer_mediapipe.py")
#: Set, split, and whose the labels are.
SETS = (
    ("hand-keypoints", "val", "MediaPipe's full model"),
    ("wild", "val", "MediaPipe's full model, where its passes agree"),
    ("wild", "scenes-val", "MediaPipe's full model, where its passes agree and their number is that of boxes drawn"),
    ("asl-letters", "all", "a tracker's lite model, where it is confident"),
    ("synthetic:200", "test", "exact; the drawing that ours has learned from"),
)
ANGLES = (0, 30, 60, 90, 135, 180)
MOST = 4  # hands that MediaPipe may find in a picture; ours has no limit
CLIPS, FRAMES, CANVAS = 5, 24, (640, 480)  # of the timing: photographs, frames of each, width and height


@dataclass
class Answer:
    """What an engine says of some pictures."""

    keypoints: list[np.ndarray]  # (n, 21, 2) pixels, of each picture
    seconds: np.ndarray  # (pictures,)


class Ours:
    """The bundled weights on the processor."""

    def __init__(self, backend: str | None = None) -> None:
        # Never what happens to be ready.
        backend = backend or os.environ.get("HANDPOSE_BACKEND") or ("torch" if prepared.missing() else "onnx")
        self.hp = HandPose.from_pretrained(device="cpu", backend=backend)

    def __call__(self, images: Sequence[np.ndarray], boxes=None, *, hands: int = MOST, clip: int = 0) -> Answer:
        """Hands of unrelated pictures, or in the given boxes of each; or of videos of `clip` frames, followed."""
        keypoints, seconds, predict = [], [], self.hp
        self.hp(images[0])  # the first picture of all takes longer than any other
        for i, image in enumerate(images):
            if clip and i % clip == 0:
                predict = Tracker(self.hp)
            start = time.perf_counter()
            found = predict(image) if boxes is None else predict(image, boxes=list(boxes[i]))
            seconds.append(time.perf_counter() - start)
            keypoints.append(np.array([hand.keypoints for hand in found], np.float32).reshape(-1, 21, 2))
        return Answer(keypoints, np.array(seconds))


class MediaPipe:
    """The other half, in its own interpreter; pictures and key-points go through files."""

    def __init__(self, python: str, complexity: int) -> None:
        self.command = [python, str(OTHER_HALF), "--complexity", str(complexity)]

    def __call__(self, images: Sequence[np.ndarray], *, hands: int = MOST, clip: int = 0) -> Answer:
        """As `Ours`, with at most `hands` in a picture."""
        with tempfile.TemporaryDirectory() as folder:
            request, answer = (str(Path(folder) / name) for name in ("request.npz", "answer.npz"))
            np.savez(request, **{f"{i:06d}": image for i, image in enumerate(images)})
            run([*self.command, request, answer, "--hands", str(hands), "--clip", str(clip)])
            with np.load(answer) as found:
                ends = np.cumsum(found["counts"])[:-1]
                return Answer(np.split(found["points"], ends), found["seconds"])


def run(command: list[str]) -> str:
    """What a command prints; ValueError with its last words where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except OSError as error:
        raise ValueError(f"{command[0]}: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{command[0]}: {(error.stderr.strip().splitlines() or ['it failed'])[-1]}") from None


def about_peer(python: str | None) -> tuple[dict, str]:
    """Versions of the other half; or nothing, and why."""
    if python is None:
        return {}, "--peer-python is not given"
    try:
        return json.loads(run([python, str(OTHER_HALF), "--about"])), ""
    except ValueError as error:
        return {}, str(error)


def on_labels(engines: dict[str, Callable], examples: list[scores.Labelled]) -> dict:
    """Every engine on labelled pictures, ours with boxes given too."""
    images = [image.image for image in examples]
    answers = {name: engine(images).keypoints for name, engine in engines.items()}
    given = np.concatenate(engines["ours"](images, [image.boxes for image in examples]).keypoints)
    return scores.score(examples, answers, {"ours": given})


def on_turned(engines: dict[str, Callable]) -> dict:
    """`wild/val`, turned clockwise by each angle."""
    images = scores.read(data.open("wild", "val"))
    return {str(angle): on_labels(engines, [scores.turned(p, angle) for p in images]) for angle in ANGLES}


def on_drawn_boxes(engines: dict[str, Callable]) -> dict:
    """Hands found where people drew the boxes, on pictures that the detector has not learned from."""
    examples = [p for split in ("val", "test") for p in scenes.labelled(AslLetters(None, split, min_score=0.0))]
    images = [image.image for image in examples]
    found = {
        n: scores.in_drawn_boxes(examples, engine(images).keypoints, keypoints_to_box) for n, engine in engines.items()
    }
    return {"pictures": len(examples), "hands": sum(len(p.boxes) for p in examples), "found": found}


def on_empty(engines: dict[str, Callable]) -> dict:
    """Hands seen in windows of photographs beside the labelled hands."""
    photos = data.open("hand-keypoints", "val")
    part_b = [p for p, part in zip(scenes.labelled(photos), photos.parts, strict=True) if part == "B"]
    sources = {
        "hand-keypoints/val B": part_b,
        "wild/scenes-val": scenes.photographs(data.open("wild", "scenes-val")),
        "asl-letters/all": scenes.labelled(data.open("asl-letters", "all")),
    }
    result = {}
    for name, examples in sources.items():
        images = [window.image for window in scenes.windows(examples)]
        found = {n: [len(keypoints) for keypoints in engine(images).keypoints] for n, engine in engines.items()}
        result[name] = {"windows": len(images), "hands": {n: sum(counts) for n, counts in found.items()},
                        "windows_with_a_hand": {n: sum(map(bool, counts)) for n, counts in found.items()}}  # fmt: skip
    return result


def everyday(python: str | None) -> tuple[str, list[Path]]:
    """scikit-image's version and its pictures without a hand: all but that of a photographer in gloves.

    Raises:
        ValueError: the interpreter has no scikit-image.
    """
    where = "import skimage; print(skimage.__version__, *skimage.__path__, sep='\\n')"
    version, package = run([python or sys.executable, "-c", where]).splitlines()
    return version, sorted(f for f in Path(package, "data").glob("*.[pj][np]g") if f.name != "camera.png")


def on_everyday(engines: dict[str, Callable], version: str, files: list[Path]) -> dict:
    """Pictures of files without a hand in which one is seen."""
    images, names = [read_image(file) for file in files], [file.name for file in files]
    found = {engine: answer(images).keypoints for engine, answer in engines.items()}
    alarms = {e: [name for name, hands in zip(names, each, strict=True) if len(hands)] for e, each in found.items()}
    return {"scikit-image": version, "pictures": names, "with_a_hand": alarms}


def moved(image: np.ndarray) -> list[np.ndarray]:
    """Frames of a video: a photograph that goes round in a small circle on a canvas."""
    (width, height), scale = CANVAS, min(CANVAS[0] / image.shape[1], CANVAS[1] / image.shape[0])
    frames = []
    for angle in np.arange(FRAMES) / FRAMES * 2 * np.pi:
        middle = np.array([width - 1, height - 1]) / 2 + 12 * np.array([np.cos(angle), np.sin(angle)])
        offset = middle - scale * (np.array(image.shape[1::-1]) - 1) / 2
        matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        frames.append(cv2.warpAffine(image, matrix, CANVAS, borderMode=cv2.BORDER_REPLICATE))
    return frames


def speed(engines: dict[str, Callable], source: str, split: str, *, threads: int, busy: bool) -> dict:
    """Milliseconds of a picture on its own, and of a frame in which a hand is followed; one hand in each."""
    samples = data.open(source, split)
    chosen = np.linspace(0, len(samples) - 1, CLIPS).round().astype(int)
    frames = [frame for i in chosen for frame in moved(samples[int(i)].image)]
    result: dict = {"pictures": f"{source}/{split}", "frames": len(frames), "canvas": list(CANVAS), "threads": threads,
                    "load_before": round(os.getloadavg()[0], 2), "provisional": busy, "engines": {}}  # fmt: skip
    later = np.arange(len(frames)) % FRAMES > 0  # the first frame of a video is looked at like a picture
    with timing.few_cores(threads):
        result["device"] = devices.describe(torch.device("cpu"))
        for name, engine in engines.items():
            still, followed = engine(frames, hands=1), engine(frames, hands=1, clip=FRAMES)
            result["engines"][name] = {
                "still": timing.milliseconds(still.seconds), "followed": timing.milliseconds(followed.seconds[later]),
                "pictures_with_a_hand": round(float(np.mean([len(keypoints) > 0 for keypoints in still.keypoints])), 4),
            }  # fmt: skip
    return result


def begin(file: Path | None, peer: dict, keep: bool) -> dict:
    """The record without results, or with those of the file where they are to be kept.

    Raises:
        ValueError: the file's results are of other weights or of another peer.
    """
    kinds = pretrained.DEFAULT, pretrained.DETECTOR  # the classifier of signs moves no key-point
    weights = {name: hashlib.sha256(pretrained.bundled(name).read_bytes()).hexdigest() for name in kinds}
    record = records.read_metadata("peer", "peer", 0, torch.device("cpu")) | {"weights": weights, "peer": peer}
    record |= {"commits": {}, "results": {}}  # a measurement made anew alone may be of another commit
    if keep and file and file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        before["weights"] = {name: before["weights"].get(name) for name in kinds}
        for key in ("weights", "peer"):
            if before[key] != record[key]:
                raise ValueError(f"{file}: was measured with other {key}; measure all anew, without --only")
        record |= {key: before[key] for key in ("commits", "results")}
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", metavar="PATH", help="an interpreter that has mediapipe")
    parser.add_argument("--only", metavar="WORD", help="those measurements alone whose name contains it")
    parser.add_argument("--threads", type=int, default=2, help="and cores, of the timing")
    parser.add_argument("--busy", action="store_true", help="others use the machine: mark the times as provisional")
    parser.add_argument("--json", type=Path, metavar="F", help="the record (default with MediaPipe: the book's)")
    chosen = parser.parse_args()
    peer, missing = about_peer(chosen.peer_python)
    file = chosen.json or (RECORD if peer else None)
    engines: dict[str, Callable] = {"ours": Ours()}
    if peer:
        engines |= {"lite": MediaPipe(chosen.peer_python, 0), "full": MediaPipe(chosen.peer_python, 1)}
    else:
        print(f"MediaPipe is not measured ({missing}); ours alone" + ("" if file else ", and no record without --json"))
    tasks = {f"{source.partition(':')[0]}/{split}": lambda source=source, split=split, labels=labels: {"labels": labels}
             | on_labels(engines, scores.read(data.open(source, split))) for source, split, labels in SETS}  # fmt: skip
    tasks |= {
        "turned": lambda: on_turned(engines),
        "drawn boxes": lambda: on_drawn_boxes(engines),
        "empty": lambda: on_empty(engines),
        "speed": lambda: speed(engines, "asl-letters", "val", threads=chosen.threads, busy=chosen.busy),
    }
    try:
        tasks["everyday"] = functools.partial(on_everyday, engines, *everyday(chosen.peer_python))
    except ValueError as error:
        print(f"Everyday pictures are not looked at ({error})")
    try:
        record = begin(file, peer, keep=bool(chosen.only))
        for name, task in tasks.items():
            if not chosen.only or chosen.only in name:
                record["results"][name], record["commits"][name] = task(), record["commit"]
                print(f"\n{name}\n{json.dumps(record['results'][name], indent=1)}", flush=True)
                if file:
                    files.write_json(file, record)
    except ValueError as error:  # DataError included
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
