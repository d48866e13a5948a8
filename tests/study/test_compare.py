"""``compare``: which runs belong together, what is printed, and what is refused."""

import json
import shutil

import cv2
import pytest

from handpose import __main__ as command
from handpose.data import SyntheticHands
from handpose.skeleton import JOINTS
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


def test_methods_in_folders_of_one_name_are_told_apart(runs, tmp_path):
    """Nothing is lost: also where a folder is called as another method, or holds two records."""
    slow = TINY | {"schedule": TINY["schedule"] | {"peak": 1e-4}}
    train(config.from_dict(slow), ["synthetic:4"], tmp_path / "slow" / "seed0", device="cpu", progress=False)
    shutil.copytree(runs / "a0", tmp_path / "fast" / "seed0")
    found = compare.compare([tmp_path / "slow" / "seed0", tmp_path / "fast" / "seed0"])
    assert set(found["scores"]) == {"slow/seed0", "fast/seed0"} and len(found["comparisons"]) == 1
    shutil.copytree(runs / "a0", tmp_path / "none")
    found = compare.methods([compare.read(f) for f in (tmp_path / "slow" / "seed0", tmp_path / "none", runs / "b0")])
    assert list(found) == ["seed0", f"{tmp_path.name}/none", "none"]
    shutil.copy(tmp_path / "slow" / "seed0" / "record.json", tmp_path / "none" / "slow.json")
    assert list(compare.methods([compare.read(tmp_path / "none" / f"{name}.json") for name in ("record", "slow")])) == [
        "record.json", "slow.json"]  # fmt: skip


@pytest.mark.parametrize("change", [{"reading": {"unturned": True}}, {"division": {"fraction": 0.5}}, {"split": "all"}])
def test_runs_on_hands_read_or_divided_otherwise_are_no_seeds_of_one_method(runs, change):
    a, b = compare.read(runs / "a0"), compare.read(runs / "a1")
    b.record |= change
    assert [len(group) for group in compare.methods([a, b]).values()] == [1, 1]
    del a.record["reading"], a.record["split"]  # a record that does not say was read as it stands
    assert compare.Run(a.file, a.record).setting() == compare.read(runs / "a1").setting()


@pytest.fixture
def own(tmp_path):
    """Two label files of the same four hands: in b.json the joints stand in reverse order and have no names."""
    images, rows = [], {"a": [], "b": []}
    for i in range(4):
        hand = SyntheticHands(size=64, split="test")[i]
        cv2.imwrite(str(tmp_path / f"{i}.png"), hand.image[..., ::-1])
        images.append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 64})
        triples = [[*map(float, p), 2] for p in hand.keypoints]
        for name, order in (("a", triples), ("b", triples[::-1])):
            rows[name].append({"id": i, "image_id": i, "category_id": 1, "keypoints": sum(order, [])})
    for name, annotations in rows.items():
        category = [{"id": 1, "name": "hand"} | ({"keypoints": list(JOINTS)} if name == "a" else {})]
        content = {"images": images, "annotations": annotations, "categories": category}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_a_set_is_read_as_the_runs_read_it_and_another_as_is_asked(runs, own, capsys):
    order = ",".join(reversed(JOINTS))
    for name in ("a0", "b0"):
        shutil.copytree(runs / name, own / name)
        record = json.loads((own / name / "record.json").read_text())
        record |= {"validation": f"coco:{own}/b.json", "validation_split": "all", "reading": {"joint_order": order}}
        (own / name / "record.json").write_text(json.dumps(record))
    given = [own / "a0", own / "b0"]
    right = compare.compare([runs / "a0", runs / "b0"], f"coco:{own}/a.json", "all")["scores"]
    capsys.readouterr()
    found = compare.compare(given)  # their own set, as recorded
    assert found["scores"] == right and found["notes"]
    said = capsys.readouterr().err
    assert f"b.json is read with --joint-order {order}" in said and f"note: coco: {found['notes'][0]}" in said
    assert compare.compare(given, f"coco:{own}/a.json", "all")["scores"] == right  # the file's own names
    said = capsys.readouterr().err
    assert "a.json is read with neither --joint-order" in said and f"was made with --joint-order {order}" in said
    shutil.copy(own / "b.json", own / "c.json")
    line = ["compare", *map(str, given), "--data", f"coco:{own}/c.json", "--split", "all", "--joint-order", order]
    assert command.main([*line, "--json", str(own / "found.json")]) == 0
    assert json.loads((own / "found.json").read_text())["scores"] == right
    assert command.main(["compare", *map(str, given), "--data", "synthetic:4", "--unturned"]) == 1
    assert "--unturned cannot be given" in capsys.readouterr().err
