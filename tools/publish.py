"""Turn a finished run into bundled weights: its record, its card, and the numbers that the README quotes.

    python tools/publish.py runs/pose laptop   publish a run under a name (needs the data sets it is scored on)
    python tools/publish.py --rendered         score the bundled weights anew, after the renderer changed
    python tools/publish.py --refined          likewise, after the rule for the refinement pass changed
    python tools/publish.py                    write the card and the README anew from the records

No number is typed: card and README are made from the record, and a test compares them.
"""

import json
import shutil
import sys
from pathlib import Path

from handpose import HandDecNet, data, detector, files, pretrained
from handpose.data import scenes
from handpose.study import detection, turned
from handpose.train import evaluate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import marked
from tools.cards import card_of

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = ("asl-letters/all", "wild/val", "massey/val", "synthetic/test")
#: What is kept of the run that a run began from, and of a detector's scores, to be compared with.
BEFORE = ("experiment", "steps", "batch", "seconds", "data", "before", "looks", "one_labelled", "sizes", "turned",
          "empty")  # fmt: skip


def record_file(record: dict) -> Path:
    return ROOT / "book" / "results" / record["experiment"] / f"{record['method']}-s{record['seed']}.json"


def published(method: str | None = None) -> dict[str, dict]:
    """The record behind each bundled file of weights, by its name; those of one method where one is named."""
    found = {}
    for file in sorted((ROOT / "book" / "results").glob("*/*.json")):
        record = json.loads(file.read_text())
        if "bundled" in record and method in (None, record["method"]):
            found[record["bundled"]] = record
    return found


def publish(folder: Path, name: str) -> None:
    """Bundle the weights of a run under a name, in place of those of that name, from which it may have begun."""
    record = json.loads((folder / "record.json").read_text())
    record |= {"bundled": name, "batch": record.get("batch") or record["config"]["schedule"]["batch"]}
    old = published().get(name)
    if record.get("init"):
        record |= {"init": Path(record["init"]).name, "before": old and {k: old[k] for k in BEFORE if k in old}}
    if record["method"] == "handdecnet":  # with the pose network that is bundled now
        net, _ = pretrained.load(folder / "weights.safetensors", kind=HandDecNet)
        record |= detection.score_everywhere(net) | {"few": on_few_scenes(net)}
    else:
        net, size = pretrained.load(folder / "weights.safetensors")
        record["elsewhere"] = {}
        for data_set in ELSEWHERE:
            print(f"scoring on {data_set}", flush=True)
            source, _, split = data_set.partition("/")
            cut = evaluate.crop_dataset(data.open(source, split), size, progress=True)
            record["elsewhere"][data_set] = evaluate.evaluate(net, cut)
        record["turned"] = {"wild/val": turned.score(net, size, data.open("wild", "val"))}
        record["few"] = on_few_rendered(net, size)
        record["looks"] = looks(record)
    if old and record_file(old) != record_file(record):
        files.write_json(record_file(old), {k: v for k, v in old.items() if k != "bundled"})
    shutil.copyfile(folder / "weights.safetensors", pretrained.bundled(name))
    pretrained.bundled(name).chmod(0o644)
    record_file(record).parent.mkdir(parents=True, exist_ok=True)
    files.write_json(record_file(record), record)


def looks(record: dict) -> list[dict]:
    """PCK at 0.2 of s on every set that a run watched, on the way and at its end."""
    own, found = record.get("validation"), []
    for entry in record.get("history", []):
        if "watch" in entry:
            elsewhere = {name: scores["pck_bone_0.2"] for name, scores in entry["watch"].items()}
            found.append({"step": entry["step"], own: entry["pck_bone_0.2"], **elsewhere})
    if found:
        last = {name: record if name == own else record["elsewhere"][name] for name in found[0] if name != "step"}
        scores = {name: e["metrics"]["pck_bone"]["0.2"] for name, e in last.items()}
        found.append({"step": record["steps"], **scores})
    return found


def on_few_rendered(net, size: int) -> dict:
    """PCK on a hundred rendered test hands, for the tests: with no other data, and in seconds."""
    cut = evaluate.crop_dataset(data.open("synthetic:100", "test"), size)
    scores = evaluate.evaluate(net, cut, intervals=False)["metrics"]
    return {kind: scores[kind] for kind in ("pck_bone", "pck_box")}


def on_few_scenes(net) -> dict:
    """Average precision on a hundred composed scenes of sixty rendered hands, likewise."""
    composed = scenes.Scenes(0, "test", 100, pool=60)
    images = [composed[i] for i in range(len(composed))]
    found = detector.detect(net, [p.image for p in images], threshold=detection.LOWEST)
    return {"ap50": detection.average_precision(found, [p.boxes for p in images])["ap50"]}


def score_rendered() -> None:
    for name, record in published("msahp").items():
        net, size = pretrained.load(pretrained.bundled(name))
        cut = evaluate.crop_dataset(data.open("synthetic", "test"), size, progress=True)
        record["elsewhere"]["synthetic/test"] = evaluate.evaluate(net, cut)
        record["few"] = on_few_rendered(net, size)
        files.write_json(record_file(record), record)
    for name, record in published("handdecnet").items():
        net, _ = pretrained.load(pretrained.bundled(name), kind=HandDecNet)
        record["few"] = on_few_scenes(net)
        files.write_json(record_file(record), record)


def score_refined() -> None:
    pose, size = pretrained.load()
    record = published("msahp")[pretrained.DEFAULT]
    record["turned"] = {"wild/val": turned.score(pose, size, data.open("wild", "val"))}
    files.write_json(record_file(record), record)
    for name, record in published("handdecnet").items():
        net, _ = pretrained.load(pretrained.bundled(name), kind=HandDecNet)
        for data_set in record["pck"]:
            print(f"scoring on {data_set}", flush=True)
            samples = data.open(*data_set.split("/"))
            record["pck"][data_set] = detection.key_points(net, pose, size, samples)
        files.write_json(record_file(record), record)


def readme_scores(record: dict) -> str:
    """The scores that the README quotes."""

    def both(scores: dict) -> str:
        found = scores["metrics"]
        bone, box = (100 * found[kind][t] for kind, t in (("pck_bone", "0.2"), ("pck_box", "0.1")))
        return f"{bone:.0f} % at 0.2 of s and {box:.0f} % at 0.1 of the box"

    return (
        f"in-domain, PCK is {both(record)} (`hand-keypoints`, block validation, labels made by MediaPipe; s is the "
        "index finger's first bone, the box is the hand's); across domains, it is "
        f"{both(record['elsewhere']['asl-letters/all'])} (`asl-letters`, never trained on)"
    )


def write() -> None:
    for name, record in published().items():
        (ROOT / "handpose" / "weights" / f"{name}.md").write_text(card_of(name, record))
    readme = ROOT / "README.md"
    readme.write_text(marked.fill(readme.read_text(), "scores", readme_scores(published()[pretrained.DEFAULT])))


if __name__ == "__main__":
    if sys.argv[1:] == ["--rendered"]:
        score_rendered()
    elif sys.argv[1:] == ["--refined"]:
        score_refined()
    elif len(sys.argv) == 3:
        publish(Path(sys.argv[1]), sys.argv[2])
    write()
