"""``compare``: which runs belong together, what is printed, and what is refused."""

import json

import pytest

from handpose import __main__ as command
from handpose.study import compare
from handpose.train import config, train

TINY = {"network": {"width": 0.125, "heads": 2}, "crop": {"size": 32}, "checkpoint_every": 100,
        "schedule": {"kind": "one-cycle", "steps": 2, "batch": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two methods, two seeds of the first and one of the second."""
    root = tmp_path_factory.mktemp("runs")
    without = TINY | {"network": TINY["network"] | {"attention": []}}
    for name, values, seed in (("a0", TINY, 0), ("a1", TINY, 1), ("b0", without, 0)):
        train(config.from_dict(values), ["synthetic:4"], root / name, seed=seed, device="cpu", progress=False)
    return root


def test_seeds_of_one_method_belong_together(runs):
    found = compare.compare([runs / name / "record.json" for name in ("a1", "b0", "a0")], "synthetic:12", "test")
    assert {name: list(seeds) for name, seeds in found["scores"].items()} == {"msahp": ["0", "1"], "none": ["0"]}
    (pair,) = found["comparisons"]
    assert (pair["first"], pair["second"], pair["seeds"]) == ("msahp", "none", [2, 1]) and found["images"] == 12
    a = sum(s["pck_box"]["0.2"] for s in found["scores"]["msahp"].values()) / 2
    assert pair["pck_box"]["0.2"]["difference"] == pytest.approx(a - found["scores"]["none"]["0"]["pck_box"]["0.2"])


def test_it_prints_and_writes(runs, tmp_path, capsys):
    given = [str(runs / "a0" / "record.json"), str(runs / "b0")]  # a folder means the record in it
    assert command.main(["compare", *given, "--json", str(tmp_path / "c.json")]) == 0
    stdout = capsys.readouterr().out
    assert "msahp - none" in stdout and "fewer than 3 seeds" in stdout and "hands of synthetic:4, val" in stdout
    assert json.loads((tmp_path / "c.json").read_text())["comparisons"][0]["first"] == "msahp"


def test_what_cannot_be_compared_is_refused_in_one_line(runs, tmp_path, capsys):
    a0 = str(runs / "a0" / "record.json")
    (tmp_path / "record.json").write_text('{"method": "x"}')
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "record.json").write_text((runs / "a0" / "record.json").read_text())
    for given, words in (
        ([a0, str(runs / "a1" / "record.json")], "the same settings"),
        ([a0, a0], "seed 0 and the same settings was given already"),
        ([a0, str(tmp_path / "none.json")], "cannot be read as a record"),
        ([a0, str(tmp_path / "record.json")], "no record of a training"),
        ([a0, str(tmp_path / "alone" / "record.json")], "no weights.safetensors beside it"),
    ):
        assert command.main(["compare", *given]) == 1
        stderr = capsys.readouterr().err
        assert words in stderr and stderr.count("\n") == 1
