"""The paper's tables, one function each; ``python -m handpose reproduce`` calls them.

Each table is printed in the paper's form, with ours beside what is printed, and leaves its record under ``reproduce/``
in the folder `results`, from which the book's ledger is made. Every one takes a seed, and the name of a device or None
for the fastest there is.
"""

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from handpose import data, devices, files, gesturenet, metrics, posenet, pretrained
from handpose.detector import HandDecNet
from handpose.study import fingerspelling, paper
from handpose.train import config, evaluate, records, train
from handpose.train.unseen import scored

#: How a data set may be divided for Table 2: what is trained on, what is scored. On STB "paper" keeps one sequence
#: out, "community" a background, and "random" single frames, which leaks: the next frame was trained on.
DIVISIONS = {
    "paper": ("paper-train", "paper-val"),
    "community": ("train", "val"),
    "random": ("random-train", "random-val"),
}
CPM_WIDTH = 0.464  # times the network's width: a 3-stage convolutional pose machine of as many operations


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Columns under their heads."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


def write_record(results: Path, name: str, seed: int, device: str | None, found: dict) -> None:
    """One record, with what it was made by."""
    about = records.read_metadata("reproduce", name, seed, devices.choose(device))
    file = results / "reproduce" / f"{name}.json"
    files.write_json(file, about | found)
    print(f"record: {file}")


def shape_of(output: torch.Tensor) -> str:
    """(1, C, h, w) or (1, n) as the paper writes it."""
    return "*".join(str(n) for n in (*output.shape[2:], output.shape[1]))


def kernel_of(layer: nn.Module) -> str:
    """The kernel of a row, as the paper writes it."""
    sizes = [m.kernel_size for m in layer.modules() if hasattr(m, "kernel_size")]
    return ", ".join("*".join(map(str, size if isinstance(size, tuple) else (size, size))) for size in sizes) or "-"


@cache
def measured1() -> dict[str, tuple[str, str]]:
    """Kernel and output of every row of Table 1, from the layers and one pass over a picture of 256 pixels."""
    net = posenet.PoseEstimationNet(attention=False).eval()
    layers = {cast(int, m.row): m for m in net.modules() if hasattr(m, "row")}
    outputs = posenet.row_outputs(net, torch.zeros(1, 3, 256, 256))
    return {str(row): (kernel_of(layers[row]), shape_of(output)) for row, output in outputs.items()}


@cache
def measured3() -> dict[str, tuple[str, str]]:
    """Kernel and output of every row of Table 3."""
    net, found = gesturenet.GestureNet(literal=True).eval(), {}
    conv1, relu1, conv2, relu2, pool, _ = net.joints
    x = torch.zeros(1, 1, 2, 21)
    for row, layers in (("1", (conv1, relu1)), ("2", (conv2, relu2)), ("3", (pool,))):
        x = nn.Sequential(*layers)(x)
        found[row] = (kernel_of(layers[0]), shape_of(x))
    for row, layer in (("4", net.hidden), ("5", net.out)):
        x = layer(x.flatten(1))
        found[row] = ("-", shape_of(x))
    return found


def describe(printed: tuple, measured: dict, networks: dict) -> dict:
    """Print a table of layers: what is printed, what is measured, whether they are the same; returns their counts."""
    rows = [
        [*row, *measured[row[0]], "the same" if measured[row[0]] == row[2:] else "DIFFERENT"] for row in printed[1:]
    ]
    print_table(["id", "Name", "Kernel", "Dimensionality", "ours:", "", ""], rows)
    params = {what: sum(p.numel() for p in net.parameters()) for what, net in networks.items()}
    print("parameters, of which the paper says nothing: " + "; ".join(f"{what} {n:,}" for what, n in params.items()))
    same = sum(row[-1] == "the same" for row in rows)
    return {"rows": len(rows), "the_same": same, "params": params}


def table1(results: Path, *, seed: int = 0, device: str | None = None) -> None:
    """The pose network's layers."""
    networks = {"as printed": posenet.PoseEstimationNet(attention=False), "with attention": posenet.PoseEstimationNet()}
    write_record(results, "table1", seed, device, describe(paper.TABLE1, measured1(), networks))


def table3(results: Path, *, seed: int = 0, device: str | None = None) -> None:
    """GestureNet's layers."""
    networks = {"as printed": gesturenet.GestureNet(literal=True), "sound, 30 signs": gesturenet.GestureNet()}
    write_record(results, "table3", seed, device, describe(paper.TABLE3, measured3(), networks))


def settings(name: str, method: str) -> config.Config:
    """A configuration with the network of a row of Table 2."""
    found = config.load(name)
    if method == "cpm":
        width = round(CPM_WIDTH * found.network.width, 3)
        return dataclasses.replace(found, network=config.Network(kind="cpm", stages=3, width=width, attention=()))
    return found


def run_of(scale: str, method: str, source: str, splits: tuple[str, str], folder: Path, seed: int,
           device: str | None) -> dict:  # fmt: skip
    """The record of a run of Table 2 in its folder; what is missing of the run is trained first."""
    if not (folder / "record.json").exists():
        print(f"{folder.parent.name}: training {method}, seed {seed}", flush=True)
        train(settings(scale, method), [source], folder, seed=seed, splits=splits, device=device,
                 resume=(folder / "checkpoint.pt").exists())  # fmt: skip
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def table2(
    results: Path, source: str | None, *, scale: str = "paper", division: str | None = None, seeds: int = 1,
    out: Path = Path("runs/reproduce"), seed: int = 0, device: str | None = None,
) -> None:  # fmt: skip
    """Train the convolutional pose machine and the paper's network, score both at four thresholds, compare in pairs.

    Args:
        source: the data set, ``NAME:PATH``.
        scale: the configuration that is trained, by its name or file.
        division: one of `DIVISIONS`; None for "paper" on STB and "community" on any other set.
        seeds: runs of each network, from `seed` on.
        out: where the runs are kept; one that is there is not trained again.

    Raises:
        ValueError: no data, a division that the set does not have, or fewer than one run.
    """
    if not source:
        raise ValueError("table2 needs --data, such as --data stb:FOLDER; data_scripts/download.py stb says where from")
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: at least one run is needed")
    known = source.partition(":")[0]
    division = division or ("paper" if known == "stb" else "community")
    if known != "stb" and division != "community":
        raise ValueError(f"--division {division} is STB's; {known} has its own train and val, --division community")
    splits = DIVISIONS[division]
    torch_device, name = devices.choose(device), f"table2-{known}-{division}-{Path(scale).stem}"
    predicted: dict[str, list[np.ndarray]] = {}
    found: dict[str, list[dict]] = {}
    cut: evaluate.CroppedDataset | None = None
    for method in ("cpm", "msahp"):
        predicted[method], found[method] = [], []
        for number in range(seed, seed + seeds):
            folder = out / name / f"{method}-s{number}"
            found[method].append(run_of(scale, method, source, splits, folder, number, device))
            net, size = pretrained.load(folder / "weights.safetensors", torch_device)
            cut = cut or evaluate.crop_dataset(
                scored(data.open(source, splits[1]), found[method][-1].get("division")), size
            )
            predicted[method].append(evaluate.predict(net, cut)[-1])
    assert cut is not None  # there is at least one seed
    first, second = (np.stack(predicted[method]) for method in ("msahp", "cpm"))
    pairs = metrics.paired(first, second, cut.keypoints, cut.visible, cut.groups)
    print_table(["PCK of s", *(f"{t:g}" for t in paper.TABLE2_THRESHOLDS)], rows_of_table2(found, pairs))
    print(f"{len(cut.ids)} pictures of {source}, {splits[1]}; {seeds} seed(s); 95 % intervals over groups. "
          "The printed 99.05% is read as 89.05%.")  # fmt: skip
    if division == "random":
        print("This division leaks: neighbours of the scored frames were trained on.")
    keys = ("seed", "steps", "params", "gmac", "seconds", "metrics", "metrics_stage1", "intervals", "config")
    write_record(results, name, seed, device, {
        "data": known, "split": splits[0], "validation_split": splits[1], "images": len(cut.ids),
        "scale": Path(scale).stem, "seeds": list(range(seed, seed + seeds)), "msahp - cpm": pairs,
        "methods": {method: [{k: run[k] for k in keys} for run in runs] for method, runs in found.items()},
    })  # fmt: skip


def rows_of_table2(found: dict[str, list[dict]], pairs: dict) -> list[list[str]]:
    """Table 2's rows, printed and ours, and the paired difference; `found` has the records of each method's runs."""
    rows = []
    for method, label in (("cpm", "CPM"), ("msahp", "Proposed")):
        rows.append([f"{label}, printed", *(f"{v:g}%" for v in paper.TABLE2[method])])
        cells = []
        for t in paper.TABLE2_THRESHOLDS:
            values = [r["metrics"]["pck_bone"][f"{t:g}"] for r in found[method]]
            ends = [r["intervals"]["pck_bone"][f"{t:g}"] for r in found[method]]
            between = "-" if None in ends else "-".join(f"{100 * end:.1f}" for end in np.mean(ends, 0))
            cells.append(f"{100 * np.mean(values):.1f}% ({between})")
        rows.append([f"{label}, ours", *cells])
    ours = [pairs["pck_bone"][f"{t:g}"] for t in paper.TABLE2_THRESHOLDS]
    between = ["-" if d["interval"] is None else " to ".join(f"{100 * end:.1f}" for end in d["interval"]) for d in ours]
    gains = [f"{100 * d['difference']:+.1f} ({ends})" for d, ends in zip(ours, between, strict=True)]
    rows.append(["Proposed - CPM, ours", *gains])
    return rows


def table4(
    results: Path, source: str | None, *, weights: str | None = None, seed: int = 0, device: str | None = None
) -> None:
    """Word error rates on the RWTH videos, by random pictures and by signers kept apart.

    Args:
        source: ``rwth:PATH``, or ``rwth`` for the one in ``$HANDPOSE_DATA``.
        weights: of the pose network; None for the bundled ones.

    Raises:
        ValueError: another data set, or none.
    """
    name, _, path = (source or "").partition(":")
    if name != "rwth":
        raise ValueError("table4 needs the RWTH videos: --data rwth:FOLDER; data_scripts/download.py rwth unpacks them")
    torch_device = devices.choose(device)
    net, size = pretrained.load(weights, torch_device)
    detector, _ = pretrained.load(None, torch_device, kind=HandDecNet)
    rows = []
    for method, percent in paper.TABLE4:
        low, high = metrics.wilson(percent / 100 * paper.TABLE4_SIGNS, paper.TABLE4_SIGNS)
        rows.append([f"{method}, printed", f"{percent}%", f"({100 * low:.1f}-{100 * high:.1f}, were it of 200)"])
    found = {}
    for split, label in (("paper-val", "ours, random pictures"), ("val", "ours, signers kept apart")):
        score = found[split] = fingerspelling.score_rwth(net, size, detector, path or None, split, seed=seed)
        low, high = score["interval"]
        interval = f"({100 * low:.1f}-{100 * high:.1f}, {score['signs']} signs)"
        rows.append([label, f"{100 * score['wer']:.1f}%", interval])
    print_table(["Method", "WER", "95 % interval"], rows)
    print("Fine-tune the pose network first: data_scripts/label_keypoints.py --rwth, then train --init, then --weights")
    used = Path(weights or pretrained.bundled()).name
    write_record(results, "table4-rwth", seed, device, {"data": "rwth", "weights": used, "splits": found})
