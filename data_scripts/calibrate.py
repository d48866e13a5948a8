"""Fit the confidence of a detected hand, from the detector's and the key-points' mean score, and show how good it is.

    python data_scripts/calibrate.py
    python data_scripts/calibrate.py --detector D.safetensors --pose P.safetensors --out confidence.json

Run it whenever one of the two networks, or the rule for a second pass, changes. It reads photographs that neither was
trained on (wild/val, wild/scenes-val, hand-keypoints/val) and windows of them without a hand, fits on one half and
tests on the other, divided by photograph or, in hand-keypoints, by block. A detection is right if the extent of its
key-points overlaps that of a labelled hand with an IoU of 0.5. Where only one hand of a picture is labelled, detections
elsewhere count neither way.
"""

import argparse
import dataclasses
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from handpose import HandPose, confidence, data, files, pretrained, skeleton
from handpose.data import scenes
from handpose.detector import HandDecNet, box_to_keypoint_extent, iou
from handpose.pipeline import THRESHOLD

LOWEST = 0.1  # detections with less confidence are not looked at
COMPLETE = ("wild/scenes-val", "windows")  # every hand there is labelled, so what else is found is none
KNOWN = 0.05  # IoU with the one labelled hand from which on a detection is taken to be about that hand
RIGHT = 0.5
SHARES = (0.05, 0.01)  # of pictures without a hand in which a hand may be seen, for the recalls that are compared


def images(limit: int) -> list[tuple[str, bool, scenes.Picture]]:
    """Name of the set, whether every hand in it is labelled, and picture; boxes are the detector's.

    At most `limit` of each set, spread evenly over it.
    """
    hands = data.open("hand-keypoints", "val")
    labelled = scenes.labelled(hands)
    part_b = [p for p, part in zip(labelled, hands.parts, strict=True) if part == "B"]
    cut_out, photos = scenes.labelled(data.open("wild", "val")), scenes.photographs(data.open("wild", "scenes-val"))
    windows = []
    for image in [*photos, *cut_out, *part_b]:  # one by one, so that a window knows its photograph
        windows += [dataclasses.replace(window, group=image.group) for window in scenes.windows([image])]
    sets = {"wild/val": cut_out, "wild/scenes-val": photos, "hand-keypoints/val": labelled, "windows": windows}
    return [(name, name in COMPLETE, of[i]) for name, of in sets.items()
            for i in np.linspace(0, len(of) - 1, min(limit, len(of))).round().astype(int)]  # fmt: skip


def collect(hp: HandPose, limit: int) -> dict[str, np.ndarray]:
    """Every detection: ``detected``, ``keypoints`` (mean scores), ``right``, ``set``, ``group``, ``image``; and of
    every picture ``names``, ``groups`` and ``hands`` (how many are labelled)."""
    rows, shown = [], []
    for number, (name, every, image) in enumerate(tqdm(images(limit), unit="picture")):
        shown.append((name, image.group, len(image.boxes)))
        true, matched = torch.from_numpy(box_to_keypoint_extent(image.boxes)).reshape(-1, 4), set()
        for hand in hp(image.image):  # most confident first, so that of two on one hand the second is the wrong one
            own = torch.from_numpy(skeleton.tight_box(hand.keypoints))[None]
            overlap = iou(own, true)[0] if len(true) else torch.zeros(1)
            best, at = float(overlap.max()), int(overlap.argmax())
            if every or best >= KNOWN:
                right = best >= RIGHT and at not in matched
                matched |= {at} if right else set()
                rows.append((hand.score, hand.scores.mean(), right, name, image.group, number))
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    names = ("detected", "keypoints", "right", "set", "group", "picture")
    about = dict(zip(("names", "groups", "hands"), (np.array(c) for c in zip(*shown, strict=True)), strict=True))
    return dict(zip(names, columns, strict=True)) | about


def divide(found: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, set[str]]:
    """Of the detections those to fit on and those to test on, as masks; and the groups of the second half.

    Groups are dealt out in the order of the hashes of their names, so that both halves hold all kinds.
    """
    ordered = sorted(set(found["groups"]), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    test = np.isin(found["group"], ordered[1::2])
    return ~test, test, set(ordered[1::2])


def recalls(sure: np.ndarray, found: dict, of: np.ndarray, groups: set[str]) -> dict:
    """Recall of the labelled hands of each set at the same rates of false alarms in windows, of one half."""
    own = np.isin(found["groups"], list(groups))
    windows = np.flatnonzero(own & (found["names"] == "windows"))
    worst = np.zeros(len(found["names"]))
    np.maximum.at(worst, found["picture"][of], sure[of])
    alarms, result = np.sort(worst[windows])[::-1], {}
    for share in SHARES:
        threshold = float(alarms[int(share * len(alarms))])
        hit = of & found["right"] & (sure > threshold)
        row = result[f"{share:g}"] = {"threshold": round(threshold, 4)}
        for name in ("wild/val", "wild/scenes-val", "hand-keypoints/val"):
            labelled = found["hands"][own & (found["names"] == name)].sum()
            row[name] = round(float((hit & (found["set"] == name)).sum() / labelled), 4)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", help=".safetensors file (default: the bundled detector)")
    parser.add_argument("--pose", help=".safetensors file (default: the bundled weights)")
    parser.add_argument("--limit", type=int, default=400, help="pictures of each set (default: 400)")
    parser.add_argument("--out", default=str(pretrained.bundled().with_name("confidence.json")))
    parser.add_argument("--detections", help="keep the networks' predictions in this .npz file; read it if it exists")
    asked = parser.parse_args()
    chosen = {"detector": asked.detector or pretrained.bundled(pretrained.DETECTOR),
              "pose": asked.pose or pretrained.bundled()}  # fmt: skip
    if asked.detections and Path(asked.detections).is_file():
        found = dict(np.load(asked.detections))
    else:
        detector, _ = pretrained.load(chosen["detector"], kind=HandDecNet)
        hp = HandPose(*pretrained.load(chosen["pose"]), detector, threshold=LOWEST, tiles=False,
                      confidence=confidence.DETECTOR_ALONE)  # fmt: skip
        found = collect(hp, asked.limit)
        if asked.detections:
            np.savez(asked.detections, **found)
    fitting, test, groups = divide(found)
    scores = found["detected"].clip(1e-6, 1 - 1e-6)
    fitted = confidence.fit(scores[fitting], found["keypoints"][fitting], found["right"][fitting])
    sure, right = fitted(scores, found["keypoints"]), found["right"]
    floor = fitted.floor(THRESHOLD)
    per_image = {name: {label: round(float((found["set"] == name)[scores >= least].sum()
                                             / (found["names"] == name).sum()), 3)
                          for label, least in (("at the floor", floor), ("of 0.5", 0.5))}
                   for name in dict.fromkeys(found["names"].tolist())}  # fmt: skip
    about = {
        "bias": fitted.bias, "detector": fitted.detector, "keypoints": fitted.keypoints, "usual": fitted.usual,
        "alone": list(fitted.alone),
        "made_by": f"python data_scripts/calibrate.py --limit {asked.limit}",
        "weights_sha256": {k: hashlib.sha256(Path(v).read_bytes()).hexdigest() for k, v in chosen.items()},
        "pictures": {name: int((found["names"] == name).sum()) for name in dict.fromkeys(found["names"].tolist())},
        "detections": {"fitted": int(fitting.sum()), "tested": int(test.sum())},
        "floor": round(floor, 4), "detections_per_picture": per_image,
        "calibration": {"both": confidence.reliability(sure[test], right[test]),
                        "detector alone": confidence.reliability(scores[test], right[test]),
                        "keypoints alone": confidence.reliability(
                            fitted.of_keypoints(found["keypoints"][test]), right[test])},
        "recall_at_alarms": {name: recalls(by, found, test, groups)
                             for name, by in (("both", sure), ("detector alone", scores))},
    }  # fmt: skip
    files.write_json(Path(asked.out), about)
    print(f"{asked.out}: {about['calibration']['both']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
