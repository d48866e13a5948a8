"""Run a table of experiments: train the runs that are missing, and leave the others alone.

    python data_scripts/run_experiments.py data_scripts/experiments/transfer.toml [--out runs] [--minutes M] [--list]

A table names a configuration, data sets, seeds and runs (see those in data_scripts/experiments). Every run keeps its
checkpoint, weights and predictions under --out and leaves one record in book/results/<table>/<method>-s<seed>.json;
comparisons go to comparisons.json beside the records. Kill it at any time and call it again: a run continues from its
last checkpoint. Ctrl-C saves first, and so does SIGTERM, by which a cluster ends its jobs. --minutes saves and stops
after that time, for machines that are lent by the hour. --jobs trains several runs at once: a CPU gets more done with
one run per core, and a large GPU with several small networks.
"""

import argparse
import dataclasses
import functools
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import tomllib
from pathlib import Path

import numpy as np
import torch

from handpose import data, files, metrics, pretrained
from handpose.data import crops, division
from handpose.study import analysis
from handpose.train import config, evaluate, train
from handpose.train.checkpoint import TrainingError
from handpose.train.unseen import scored

ROOT = Path(__file__).resolve().parent.parent
HISTORY = 50  # at most this many points of the learning curve are kept in a record


class TableError(ValueError):
    """A table of runs that cannot be used; the message names the file and the key."""


def read(path: Path) -> dict:
    """A table, checked: its keys are those of `allowed`, and its runs and comparisons fit together."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path}: {error}") from None
    allowed = {"config", "data", "validate", "elsewhere", "seeds", "set", "run", "compare"}
    if unknown := sorted(set(table) - allowed):
        raise TableError(f"{path}: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")
    methods = [run.get("method") for run in table.get("run", [])]
    if not methods or None in methods:
        raise TableError(f"{path}: every run needs a method, its name")
    if twice := [m for m in methods if methods.count(m) > 1]:
        raise TableError(f"{path}: two runs are called {twice[0]!r}; give each a method of its own")
    for run in table["run"]:
        if not run.setdefault("data", table.get("data")):
            raise TableError(f"{path}: run {run['method']!r} names no data")
        if run.get("init") and run["init"] not in methods[: methods.index(run["method"])]:
            raise TableError(f"{path}: run {run['method']!r} starts from {run['init']!r}, which is no earlier run")
    for pair in table.get("compare", []):
        if wrong := [pair.get(k) for k in ("first", "second") if pair.get(k) not in methods]:
            raise TableError(f"{path}: compare names {wrong[0]!r}, which is no run")
    return table | {"name": path.stem}


def settings(table: dict, run: dict) -> config.Config:
    """The configuration of one run: the table's, with what the table and then the run itself set."""
    values = dataclasses.asdict(config.load(table["config"]))
    for changes in (table.get("set", {}), run.get("set", {})):
        for key, value in changes.items():
            values[key] = values[key] | value if isinstance(value, dict) and key != "balance" else value
    return config.from_dict(values, f"{table['name']}, run {run['method']}")


def otherwise(file: Path, wanted: config.Config) -> str | None:
    """The first setting in which a record differs from the run that its table asks for, in words; None if none does."""
    record = json.loads(file.read_text("utf-8"))
    made, asked = config.from_dict(record["config"], str(file)).as_dict(), wanted.as_dict()
    made["schedule"]["steps"] = record["steps"]
    for part in ("network", "crop", "augment", "loss", "schedule"):
        for key, value in asked[part].items():
            if made[part][key] != value:
                return f"a run with {part}.{key} {made[part][key]}, where the table has {value}"
    if made["balance"] != asked["balance"]:
        return f"a run with balance {made['balance']}, where the table has {asked['balance']}"
    return None


@functools.cache
def to_train_on(source: str, size: int) -> crops.Crops | None:
    """A set's crops, cut once for all runs of this process; None for one that `train` has to divide."""
    samples = data.open(source, "train")
    return None if division.undivided(samples) else crops.load_crops(source.partition(":")[0], samples, size)


@functools.cache
def to_score(name: str, size: int) -> evaluate.CroppedDataset:
    """The hands of "NAME[:PATH]/SPLIT", cut once for all runs of this process."""
    source, _, split = name.rpartition("/")
    return evaluate.crop_dataset(data.open(source, split), size)


def execute(table: dict, run: dict, seed: int, out: Path, results: Path, device: str | None) -> None:
    """Train one run to its end, score it everywhere and write its record and predictions."""
    folder = out / table["name"] / f"{run['method']}-s{seed}"
    init = out / table["name"] / f"{run['init']}-s{seed}" / "weights.safetensors" if run.get("init") else None
    if not (folder / "record.json").exists():
        chosen = settings(table, run)
        loaded = {source: to_train_on(source, chosen.crop.size) for source in run["data"]}
        train(
            chosen, run["data"], folder, seed=seed, validate=table["validate"], init=init, device=device,
            resume=(folder / "checkpoint.pt").exists(), loaded={k: v for k, v in loaded.items() if v is not None},
        )  # fmt: skip
    record = json.loads((folder / "record.json").read_text())
    net, size = pretrained.load(folder / "weights.safetensors")
    predictions, record["elsewhere"] = {}, {}
    for name in [f"{table['validate']}/val", *table.get("elsewhere", [])]:
        if name == f"{table['validate']}/val" and record.get("division"):  # trained on as well, and so divided
            samples = scored(data.open(table["validate"], "val"), record["division"])
            cut = evaluate.crop_dataset(samples, size)
        else:
            cut = to_score(name, size)
        predictions |= {f"{name}|predicted": evaluate.predict(net, cut).astype(np.float32),
                        f"{name}|points": cut.keypoints, f"{name}|visible": cut.visible,
                        f"{name}|groups": np.array(cut.groups)}  # fmt: skip
        if cut.occluded is not None:
            predictions[f"{name}|occluded"] = cut.occluded
        if name != f"{table['validate']}/val":
            record["elsewhere"][name] = evaluate.evaluate(net, cut)
    with files.writing(folder / "predictions.npz") as unfinished, open(unfinished, "wb") as stream:
        np.savez_compressed(stream, **predictions)
    record |= {"experiment": table["name"], "method": run["method"], "init": run.get("init")}
    record["history"] = thin(record["history"])
    results.mkdir(parents=True, exist_ok=True)
    files.write_json(results / f"{run['method']}-s{seed}.json", record)


def thin(history: list[dict]) -> list[dict]:
    """A record's history with about `HISTORY` of its losses, and all else."""
    losses = [h for h in history if "loss" in h]
    few = losses[:: max(1, len(losses) // HISTORY)]
    return sorted(few + [h for h in history if "loss" not in h], key=lambda h: h["step"])


def compare(table: dict, out: Path, results: Path) -> None:
    """Paired differences of the methods the table names, on every set, over the seeds that both have."""
    found = []
    for pair in table.get("compare", []):
        predictions = {k: {s: out / table["name"] / f"{pair[k]}-s{s}" / "predictions.npz" for s in table["seeds"]}
                       for k in ("first", "second")}  # fmt: skip
        seeds = [s for s in table["seeds"] if all(predictions[k][s].exists() for k in predictions)]
        if not seeds:
            continue
        first, second = ([np.load(predictions[k][s]) for s in seeds] for k in predictions)
        entry = {"first": pair["first"], "second": pair["second"], "seeds": seeds, "sets": {}}
        for name in [f"{table['validate']}/val", *table.get("elsewhere", [])]:
            keypoints, visible, groups = (first[0][f"{name}|{key}"] for key in ("points", "visible", "groups"))
            entry["sets"][name] = {}
            for stage, k in (("last", -1), ("stage1", 0)):
                both = [np.stack([run[f"{name}|predicted"][k] for run in runs]) for runs in (first, second)]
                entry["sets"][name][stage] = metrics.paired(*both, keypoints, visible, groups)
                if (occluded := first[0].get(f"{name}|occluded")) is not None:
                    hidden = analysis.hidden_gain(*both, keypoints, visible, occluded, groups)
                    entry["sets"][name][stage]["hidden"] = hidden
        found.append(entry)
    if found:
        files.write_json(results / "comparisons.json", {"experiment": table["name"], "comparisons": found})


def attempt(table: dict, run: dict, seed: int, out: Path, results: Path, device: str | None) -> int:
    """`execute`, with what can go wrong said in one line; the exit status."""
    print(f"{table['name']}/{run['method']}-s{seed}: running", flush=True)
    try:
        execute(table, run, seed, out, results, device)
    except (TableError, config.ConfigError, data.DataError, TrainingError, pretrained.WeightsError,
            files.OutputError) as error:  # fmt: skip
        print(f"run_experiments: {run['method']}-s{seed}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("run_experiments: stopped; call it again to go on", file=sys.stderr)
        return 130
    return 0


def _job(threads: int, *arguments) -> None:
    stop_on_signals()
    torch.set_num_threads(threads)
    sys.exit(attempt(*arguments))


def at_once(waiting: list[tuple], jobs: int) -> int:
    """`attempt` each, `jobs` at a time, each in a process of its own; after the first failure the others are stopped.

    A run that starts from another (`init`) waits until that one is done.
    """
    threads = max(1, torch.get_num_threads() // jobs)
    spawn, status, running = multiprocessing.get_context("spawn"), 0, {}
    try:
        while running or (waiting and not status):
            for run in list(waiting):
                before = {(one[1]["method"], one[2]) for one in [*waiting, *running.values()]}
                ready = (run[1].get("init"), run[2]) not in before
                if len(running) < jobs and ready and not status:
                    waiting.remove(run)
                    process = spawn.Process(target=_job, args=(threads, *run))
                    process.start()
                    running[process] = run
            multiprocessing.connection.wait([process.sentinel for process in running])
            for process in [p for p in running if p.exitcode is not None]:
                del running[process]
                if process.exitcode and not status:
                    status = process.exitcode
                    stop(running)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who ends jobs asks the runs, this process, and again
        stop(running)
        status = 130
    for process in running:
        process.join()
    return status


def stop(running) -> None:
    """Ask runs to save and end, as Ctrl-C does."""
    for process in running:
        if process.is_alive():  # else its number may be another's by now
            os.kill(process.pid, signal.SIGINT)


def stop_on_signals() -> None:
    """Let Ctrl-C and SIGTERM stop this process alike; while it trains, `handpose.train` answers both itself.

    A shell starts what runs in the background with Ctrl-C ignored, and then --minutes could not stop it either.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="a .toml table of runs")
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where runs are kept (default: runs)")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "book" / "results", help="folder for the records (default: book/results)"
    )
    parser.add_argument("--only", help="comma-separated methods (default: all)")
    parser.add_argument("--seeds", help="comma-separated seeds (default: the table's)")
    parser.add_argument("--minutes", type=float, help="stop after this time; the run in progress is saved")
    parser.add_argument("--jobs", type=int, default=1, help="number of runs at once (default: 1)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    parser.add_argument(
        "--list", action="store_true", help="only list the runs that are there and those that are missing"
    )
    arguments = parser.parse_args()
    stop_on_signals()
    try:
        table = read(arguments.table)
        seeds = [int(s) for s in arguments.seeds.split(",")] if arguments.seeds else table["seeds"]
        named = arguments.only.split(",") if arguments.only else []
        if unknown := set(named) - {run["method"] for run in table["run"]}:
            raise TableError(f"{arguments.table}: there is no run {min(unknown)!r} for --only; see --list")
        for run in table["run"]:
            settings(table, run)  # a mistake in the last run is found before the first is trained
    except (TableError, config.ConfigError) as error:
        print(f"run_experiments: {error}", file=sys.stderr)
        return 1
    results = arguments.results / table["name"]
    missing = []
    for seed in seeds:
        for run in table["run"]:
            if named and run["method"] not in named:
                continue
            file = results / f"{run['method']}-s{seed}.json"
            done = file.exists()
            if done and (other := otherwise(file, settings(table, run))):
                print(f"run_experiments: {file}: {other}; delete it, or name another folder with --results",
                      file=sys.stderr)  # fmt: skip
                return 1
            if arguments.list or done:
                print(f"{table['name']}/{run['method']}-s{seed}: {'there' if done else 'missing'}", flush=True)
            if not done:
                missing.append((table, run, seed, arguments.out, results, arguments.device))
    if arguments.list:
        return 0
    if arguments.minutes:
        timer = threading.Timer(60 * arguments.minutes, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    if arguments.jobs > 1:
        status = at_once(missing, arguments.jobs)
    else:
        status = next((s for s in (attempt(*run) for run in missing) if s), 0)
    if status:
        return status
    try:
        compare(table, arguments.out, results)
    except files.OutputError as error:
        print(f"run_experiments: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("run_experiments: stopped; call it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
