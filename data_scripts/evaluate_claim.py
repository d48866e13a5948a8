"""Score the runs of a table on hard cases (hidden, turned, at the border, crossed), and look at their heads.

    python data_scripts/evaluate_claim.py data_scripts/experiments/claim.toml [--out runs] [--limit N]

It trains nothing. It loads the weights that `run_experiments.py` wrote under --out, for all runs that are there; call
it again when there are more: what a run's network predicted is kept beside its weights, in cases.npz. Numbers go to
book/results/<table>-cases: a record for each run, with what its attention heads read and what silencing each one costs,
and comparisons.json. The plan is book/plan.md.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from run_experiments import ROOT, TableError, read

from handpose import data, files, metrics, pretrained, skeleton
from handpose.study import analysis, cases, heads
from handpose.train import records

#: Case -> how it is made, the set, and its split.
CASES = {
    "hidden": (cases.hidden, "synthetic", "test"),
    "crossed": (cases.crossed, "synthetic:2000", "test"),
    "border": (cases.border, "hand-keypoints", "val"),
    "border-code": (cases.border_with_code, "hand-keypoints", "val"),  # not of the plan
    "turned": (cases.turned, "hand-keypoints", "val"),
    "turned-wild": (cases.turned, "wild", "val"),
}
STAGES = {"stage1": 0, "last": -1}
HEADS = 200  # rendered test hands on which heads are looked at


def build(names: list[str], size: int, limit: int | None) -> dict[str, cases.Case]:
    """The cases, cut for networks of one input size."""
    made = {}
    for name in names:
        make, source, split = CASES[name]
        made[name] = make(data.open(source, split), size, limit)
    return made


def share(predicted: np.ndarray, case: cases.Case, joints: np.ndarray) -> float | None:
    """PCK at 0.2 of s of the chosen joints (N, 21); None where there are none."""
    hands = case.hands
    right = (
        metrics.errors(predicted, hands.keypoints)
        <= 0.2 * skeleton.unit_length(hands.keypoints, hands.visible)[:, None]
    )
    return float(right[joints].mean()) if joints.any() else None


def predict_cases(
    weights: Path, made: dict[str, cases.Case], fingerprints: dict[str, str], hands: int
) -> tuple[dict, dict]:
    """What a run's network makes of the cases, and what its heads do; kept beside its weights from the first call on.

    Args:
        weights: of the run. made, fingerprints: the cases and their hashes, by name.
        hands: how many rendered hands the heads are looked at on.

    Returns:
        Predictions (stages, N, 21, 2) by case, and `heads.describe`'s numbers, empty for a network without attention.
    """
    key = {"weights": hashlib.sha256(weights.read_bytes()).hexdigest(), "hands": hands}
    file = weights.with_name("cases.npz")
    predictions, described = {}, None
    if file.is_file():
        with np.load(file) as stored:
            before = json.loads(str(stored["key"]))
            if all(before[name] == value for name, value in key.items()):
                same = [name for name in made if before["cases"].get(name) == fingerprints[name]]
                predictions = {name: stored[name] for name in same}
                described = json.loads(str(stored["heads"]))
    if described is not None and predictions.keys() == made.keys():
        return predictions, described
    net, size = pretrained.load(weights)
    predictions |= {
        name: case.predict(net).astype(np.float32) for name, case in made.items() if name not in predictions
    }
    if described is None:
        options, described = getattr(net, "options", {}), {}
        if options.get("attention") and not options.get("control"):
            described = heads.describe(net, size, data.open("synthetic", "test"), limit=hands)
    key["cases"] = {name: fingerprints[name] for name in predictions}
    with files.writing(file) as unfinished, open(unfinished, "wb") as stream:
        np.savez_compressed(stream, key=json.dumps(key), heads=json.dumps(described), **predictions)
    return predictions, described


def score(predicted: np.ndarray, case: cases.Case) -> dict:
    """PCK of hard and easy joints and of each kind of crop, at both stages, from predictions (stages, N, 21, 2)."""
    found = {}
    for stage, k in STAGES.items():
        found[stage] = {"hard": share(predicted[k], case, case.hard), "easy": share(predicted[k], case, case.easy)}
        found[stage]["kinds"] = {
            str(kind): share(predicted[k], case, case.hands.visible & (case.kinds == kind)[:, None])
            for kind in sorted(set(case.kinds.tolist()))
        }
    return found | {"hands": len(case.hands.ids), "joints": [int(case.hard.sum()), int(case.easy.sum())]}


def compare(table: dict, made: dict[str, cases.Case], predictions: dict[tuple[str, int], dict]) -> list[dict]:
    """Gains on hard and easy joints and their growth, for each pair of the table, over the seeds that both have."""
    found = []
    for pair in table.get("compare", []):
        seeds = [s for s in table["seeds"] if all((pair[k], s) in predictions for k in ("first", "second"))]
        if not seeds:
            continue
        entry = {"first": pair["first"], "second": pair["second"], "seeds": seeds, "cases": {}}
        for name, case in made.items():
            hands, entry["cases"][name] = case.hands, {}
            for stage, k in STAGES.items():
                both = [np.stack([predictions[pair[m], s][name][k] for s in seeds]) for m in ("first", "second")]
                entry["cases"][name][stage] = analysis.gain_apart(
                    *both, hands.keypoints, hands.visible, case.hard, case.easy, hands.groups
                )
        found.append(entry)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="a .toml table of runs")
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where runs are kept (default: runs)")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "book" / "results", help="folder for the records (default: book/results)"
    )
    parser.add_argument("--cases", default=",".join(CASES), help=f"comma-separated (default: {','.join(CASES)})")
    parser.add_argument("--limit", type=int, help="use at most this many hands of each set, for a trial")
    arguments = parser.parse_args()
    names = arguments.cases.split(",")
    try:
        table = read(arguments.table)
        if unknown := set(names) - set(CASES):
            raise TableError(f"--cases {min(unknown)}: choose of {', '.join(CASES)}")
        runs = {(run["method"], seed): arguments.out / table["name"] / f"{run['method']}-s{seed}"
                for seed in table["seeds"] for run in table["run"]}  # fmt: skip
        runs = {key: folder for key, folder in runs.items() if (folder / "record.json").exists()}
        if not runs:
            raise TableError(f"{arguments.out / table['name']}: no run is finished; run_experiments.py makes them")
        (size,) = {pretrained.load(folder / "weights.safetensors")[1] for folder in runs.values()}
        made = build(names, size, arguments.limit)
        looked_at = min(HEADS, arguments.limit or HEADS)
        results, predictions = arguments.results / f"{table['name']}-cases", {}
        results.mkdir(parents=True, exist_ok=True)
        fingerprints = {name: case.fingerprint() for name, case in made.items()}
        for (method, seed), folder in runs.items():
            print(f"{method}-s{seed}", flush=True)
            predictions[method, seed], described = predict_cases(
                folder / "weights.safetensors", made, fingerprints, looked_at
            )
            scored = {name: score(predictions[method, seed][name], case) for name, case in made.items()}
            trained = json.loads((folder / "record.json").read_text(encoding="utf-8"))
            record = records.read_metadata(f"{table['name']}-cases", method, seed, torch.device("cpu"))
            record |= {"trained_at": trained["commit"], "steps": trained["steps"], "data_sha256": fingerprints,
                       "cases": scored}  # fmt: skip
            if described:
                record["heads"] = described
            files.write_json(results / f"{method}-s{seed}.json", record)
        found = compare(table, made, predictions)
        files.write_json(results / "comparisons.json", {"experiment": f"{table['name']}-cases", "comparisons": found})
    except (TableError, data.DataError, pretrained.WeightsError, files.OutputError) as error:
        print(f"evaluate_claim: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
