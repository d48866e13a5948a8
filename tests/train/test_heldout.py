"""Never trained and scored on the same hands; labels that changed; what scoring needs, before the first step."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from handpose.__main__ import main
from handpose.data import DataError, SyntheticHands, division, packed
from handpose.data import open as open_set
from handpose.study import compare
from handpose.train import config, heldout, loop, monitor, pose, train, unseen
from handpose.train.checkpoint import TrainingError
from tests.train.test_training import TINY, stop_at

NUMBER = 12


@pytest.fixture(scope="module")
def hands():
    return [SyntheticHands(size=64, split="test")[i] for i in range(NUMBER)]


@pytest.fixture
def folder(tmp_path, hands):
    """One's own photos, six folders of two: labels.json of the labelling window, and coco.json, with the same hands."""
    entries, images, annotations = [], [], []
    for i, hand in enumerate(hands):
        name = f"person{i // 2}/{i}.png"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), hand.image[..., ::-1])
        keypoints = [p if v else None for p, v in zip(hand.keypoints.tolist(), hand.visible, strict=True)]
        entries.append({"path": name, "width": 64, "height": 64, "keypoints": keypoints, "box": None, "shape": None})
        images.append({"id": 100 * i, "file_name": name, "width": 64, "height": 64})
        triples = [[*map(float, p), 2] if v else [0, 0, 0] for p, v in zip(hand.keypoints, hand.visible, strict=True)]
        annotations.append({"id": i, "image_id": 100 * i, "keypoints": sum(triples, [])})
    from handpose.skeleton import JOINTS

    content = {"format": "handpose.keypoints/1", "order": list(JOINTS), "images": entries}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "tiny.toml").write_text(TINY.replace("steps = 8", "steps = 4"))
    return tmp_path


def run(folder, source, out="run", **arguments):
    return train(config.load(folder / "tiny.toml"), [source], folder / out, progress=False, **arguments)


def trained_on(monkeypatch):
    """The ids of the hands that the runs to come are trained on."""
    found, original = [], pose._batch_loss

    def batch_loss(plan, state, sets, scenery):
        found.extend(i for c in sets for i in c.ids)
        return original(plan, state, sets, scenery)

    monkeypatch.setattr(pose, "_batch_loss", batch_loss)
    return found


def never(monkeypatch):
    """Let the first step of a run fail the test."""
    monkeypatch.setattr(loop, "set_rate", lambda *_: pytest.fail("a step was made"))


def test_a_packed_set_without_splits_is_divided_and_its_pictures_are_known_again(folder, monkeypatch, capsys):
    """As from its folder: two hands of one picture are on one side, and weights know pictures that were packed."""
    content = json.loads((folder / "coco.json").read_text())
    second = content["annotations"][3] | {"id": 99, "keypoints": content["annotations"][4]["keypoints"]}
    content["annotations"].append(second)
    (folder / "coco.json").write_text(json.dumps(content))
    whole = open_set(f"coco:{folder}/coco.json")
    packed.write(folder / "mine.npz", {"coco": {"train": whole, "val": whole}})  # both are the whole
    assert all(len(open_set(f"coco:{folder}/mine.npz", split)) == NUMBER + 1 for split in ("train", "val", "all"))
    trained = trained_on(monkeypatch)
    about = run(folder, f"coco:{folder}/mine.npz")["division"]
    assert about["by"] == "group" and sorted(trained + about["held_out"]) == sorted(h.id for h in whole)
    assert sorted(about["held_out"]) == sorted(division.divide(whole).held_out)
    weights = folder / "run" / "weights.safetensors"
    for source in (f"coco:{folder}/coco.json", f"coco:{folder}/mine.npz"):
        left, out = unseen.unseen(open_set(source, "val"), "val", weights, progress=False)
        assert (
            sorted(left[i].id for i in range(len(left))) == sorted(about["held_out"]) and len(sum(out.values(), [])) > 8
        )
    with pytest.raises(DataError, match="--joint-order cannot be given, .*a pack keeps what pack.py was told"):
        open_set(f"coco:{folder}/mine.npz", joint_order="rhd")
    with np.load(folder / "mine.npz") as stored:
        np.savez(
            folder / "old.npz", **{k: stored[k] for k in stored.files if k not in ("keys", "grouping", "undivided")}
        )
    assert "pack it again" in open_set(f"coco:{folder}/old.npz").notes[0]


@pytest.mark.parametrize("source", ["labelled:{}/labels.json", "coco:{}/coco.json"])
@pytest.mark.parametrize("named", [False, True])
def test_a_set_without_splits_is_divided(folder, source, named, monkeypatch, capsys):
    source, trained = source.format(folder), trained_on(monkeypatch)
    record = run(folder, source, validate=source if named else None, val_fraction=0.3)
    about = record["division"]
    assert record["images"] == len(about["held_out"]) == about["val"] and about["fraction"] == 0.3
    assert about["train"] + about["val"] == NUMBER == len(trained) + len(about["held_out"]) and about["val"] in (3, 4)
    assert not set(trained) & set(about["held_out"])
    if source.startswith("labelled"):  # whole folders, of which there are six
        assert about["by"] == "group" and about["val"] == 4
        assert not {i.split("/")[0] for i in trained} & {i.split("/")[0] for i in about["held_out"]}
    assert "has no splits of its own and is divided" in capsys.readouterr().err
    assert run(folder, source, "again", seed=7, val_fraction=0.3)["division"] == about  # as for every seed


@pytest.mark.parametrize("other", ["copy", "link", "reader", "spelling"])
def test_the_same_hands_under_another_name(folder, other, monkeypatch):
    """They are divided, or refused before the first step; never is a hand on both sides."""
    source = f"coco:{folder}/coco.json"
    if other == "copy":
        shutil.copy(folder / "coco.json", folder / "else.json")
        validate = f"coco:{folder}/else.json"
    elif other == "link":
        (folder / "else.json").symlink_to(folder / "coco.json")
        validate = f"onehand10k:{folder}/else.json"
    elif other == "spelling":
        validate = f"coco:{folder}/person0/../coco.json"
    else:
        validate = f"labelled:{folder}/labels.json"  # another form of label, the same pictures
        never(monkeypatch)
        with pytest.raises(TrainingError, match="12 of the 12 pictures that it is scored on are also trained on"):
            run(folder, source, validate=validate)
        assert not (folder / "run" / "record.json").exists()
        return
    trained = trained_on(monkeypatch)
    record = run(folder, source, validate=validate)
    assert len(record["division"]["held_out"]) == record["images"] < NUMBER
    assert not set(trained) & set(record["division"]["held_out"])


def test_pictures_copied_to_another_folder_are_known_again(folder, monkeypatch):
    shutil.copytree(folder / "person0", folder / "copied")
    content = json.loads((folder / "labels.json").read_text())
    content["images"] = [e | {"path": e["path"].replace("person0", "copied")} for e in content["images"][:2]]
    (folder / "mine.json").write_text(json.dumps(content))
    never(monkeypatch)
    with pytest.raises(TrainingError, match="2 of the 2 pictures"):
        run(folder, f"labelled:{folder}/labels.json", validate=f"labelled:{folder}/mine.json")
    with pytest.raises(TrainingError, match="of the . pictures that it is scored on are also trained on"):
        train(config.load(folder / "tiny.toml"), [f"labelled:{folder}/labels.json", f"coco:{folder}/coco.json"],
              folder / "two", progress=False)  # fmt: skip


def test_another_set_to_validate_on_is_taken_whole(folder):
    content = json.loads((folder / "labels.json").read_text())
    parts = content["images"][:6], content["images"][6:]
    for name, half in zip("ab", parts, strict=True):
        (folder / f"{name}.json").write_text(json.dumps(content | {"images": half}))
    record = run(folder, f"labelled:{folder}/a.json", validate=f"labelled:{folder}/b.json")
    assert record["images"] == 6 and "division" not in record and "also_trained_on" not in record
    with pytest.raises(TrainingError, match="--val-fraction 0.2: nothing is divided"):
        run(folder, f"labelled:{folder}/a.json", "no", validate=f"labelled:{folder}/b.json", val_fraction=0.2)


def test_a_watched_set_that_is_trained_on_is_noted(folder, capsys):
    source = f"labelled:{folder}/labels.json"
    record = run(folder, source, watch=[f"{source}/all"])
    name = f"{source}/all"
    assert record["also_trained_on"] == {name: record["division"]["train"]}
    assert f"{name}: {record['division']['train']} of the 12 pictures" in capsys.readouterr().err


def test_what_is_compared_later_is_what_was_held_out(folder):
    source = f"labelled:{folder}/labels.json"
    record = run(folder, source)
    part = unseen.scored(open_set(source, "val"), record["division"])
    assert [part[i].id for i in range(len(part))] == record["division"]["held_out"]
    (folder / "tiny.toml").write_text(TINY.replace("steps = 8", "steps = 5"))
    run(folder, source, "other")
    found = compare.compare([folder / name / "record.json" for name in ("run", "other")])
    assert found["images"] == record["images"]
    assert found["scores"]["run"]["0"]["epe_mean_px"] == pytest.approx(record["metrics"]["epe_mean_px"], abs=1e-6)
    content = json.loads((folder / "labels.json").read_text())
    content["images"].reverse()  # the same hands in another order
    (folder / "labels.json").write_text(json.dumps(content))
    again = compare.compare([folder / name / "record.json" for name in ("run", "other")])["scores"]["run"]["0"]
    assert again["epe_mean_px"] == pytest.approx(record["metrics"]["epe_mean_px"], abs=1e-6)
    content["images"] = content["images"][::-1][:9]
    (folder / "labels.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="the set is another than when the run began"):
        unseen.scored(open_set(source, "val"), record["division"])


@pytest.fixture
def begun(folder):
    """A run on one's own labels that was stopped at its second step."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(monitor.Interrupted):
        stop_at(patch, 2)
        run(folder, f"labelled:{folder}/labels.json")
    return folder


@pytest.mark.parametrize("which", ["trained", "scored"])
def test_resume_on_labels_that_have_changed_is_refused(begun, which):
    source = f"labelled:{begun}/labels.json"
    held_out = division.divide(open_set(source)).held_out
    content = json.loads((begun / "labels.json").read_text())
    entry = next(e for e in content["images"] if (e["path"] in held_out) == (which == "scored"))
    before, joint = (begun / "labels.json").read_text(), [p is not None for p in entry["keypoints"]].index(True)
    entry["keypoints"][joint][0] += 0.5
    (begun / "labels.json").write_text(json.dumps(content))
    with pytest.raises(TrainingError, match=r"checkpoint.pt: the labels of .* have changed since the run began"):
        run(begun, source, resume=True)
    (begun / "labels.json").write_text(before)
    assert run(begun, source, resume=True)["steps"] == 4


def test_resume_on_other_pictures_is_noted(begun, capsys):
    image = cv2.imread(str(begun / "person0" / "0.png"))
    cv2.imwrite(str(begun / "person0" / "0.png"), 255 - image)
    assert run(begun, f"labelled:{begun}/labels.json", resume=True)["steps"] == 4
    assert "note: pictures of labelled" in capsys.readouterr().err


def test_resume_with_another_fraction_is_refused(begun):
    with pytest.raises(TrainingError, match=r"another val_fraction \(None, not 0.5\)"):
        run(begun, f"labelled:{begun}/labels.json", resume=True, val_fraction=0.5)


@pytest.mark.parametrize(
    ("began", "goes_on", "words"),
    [
        ({"unturned": True}, {}, "made with --unturned, now neither --joint-order nor --unturned is given"),
        ({}, {"joint_order": "canonical"}, "made with neither .*, now --joint-order canonical is given"),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_resume_with_labels_read_otherwise_is_refused(folder, began, goes_on, words, older):
    source = f"coco:{folder}/coco.json"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(monitor.Interrupted):
        stop_at(patch, 2)
        run(folder, source, reading=began)
    if older:  # a checkpoint in which the options stand by themselves, where they were given
        saved = torch.load(folder / "run" / "checkpoint.pt", weights_only=True)
        torch.save(saved | saved.pop("reading"), folder / "run" / "checkpoint.pt")
    with pytest.raises(TrainingError, match=f"checkpoint.pt: {words}; resume with the same"):
        run(folder, source, resume=True, reading=goes_on)
    assert run(folder, source, resume=True, reading={"joint_order": None, "unturned": False} | began)["steps"] == 4


@pytest.mark.parametrize("fault", ["gone", "size", "scale"])
def test_what_cannot_be_scored_is_told_before_the_first_step(folder, fault, monkeypatch):
    content = json.loads((folder / "labels.json").read_text())
    for name, half in zip("ab", (content["images"][:6], content["images"][6:]), strict=True):
        (folder / f"{name}.json").write_text(json.dumps(content | {"images": half}))
    never(monkeypatch)
    error, named = DataError, "person4/9.png"
    if fault == "gone":
        (folder / named).write_bytes((folder / named).read_bytes()[:30])
    elif fault == "size":
        cv2.imwrite(str(folder / named), np.zeros((64, 65, 3), np.uint8))
    else:
        error, original = TrainingError, heldout.evaluate.evaluate

        def score(net, hands, **options):  # as of a hand by whose scale nothing can be divided
            if named in hands.ids:
                raise ValueError("a scale is zero")
            return original(net, hands, **options)

        monkeypatch.setattr(heldout.evaluate, "evaluate", score)
    with pytest.raises(error, match=named):
        run(folder, f"labelled:{folder}/a.json", validate=f"labelled:{folder}/b.json")
    assert not (folder / "run" / "checkpoint.pt").exists()


def test_evaluate_leaves_out_what_was_trained_on(folder, capsys):
    """Also under another form of label, and after a fine-tuning; what is asked for by its split is scored, and said."""
    source, weights = f"labelled:{folder}/labels.json", folder / "run" / "weights.safetensors"
    record = run(folder, source)

    def scored(data, *more, weights=weights):
        code = main(["evaluate", "--weights", str(weights), "--data", data, "--json", str(folder / "e.json"), *more,
                     "--device", "cpu"])  # fmt: skip
        captured = capsys.readouterr()
        return (json.loads((folder / "e.json").read_text()), captured.out + captured.err) if code == 0 else captured.err

    found, captured = scored(source)
    assert found["metrics"] == record["metrics"] and found["images"] == record["division"]["val"]
    (reason, ids), number = *found["left_out"].items(), record["division"]["train"]
    assert "trained on" in reason and not set(ids) & set(record["division"]["held_out"]) and len(ids) == number
    assert f"left out of the scores: {number} (in pictures that these weights were trained on)" in captured
    assert scored(f"coco:{folder}/coco.json")[0]["images"] == found["images"]
    found, captured = scored(source, "--split", "all")
    assert found["images"] == NUMBER and f"note: {number} of the {NUMBER} hands lie in pictures" in captured
    shutil.copy(weights, folder / "moved.safetensors")
    assert scored(source, weights=folder / "moved.safetensors")[0]["images"] == record["images"]

    content = json.loads((folder / "labels.json").read_text())
    for name, chosen in (("a", False), ("b", True)):
        part = [e for e in content["images"] if (e["path"] in record["division"]["held_out"]) == chosen]
        (folder / f"{name}.json").write_text(json.dumps(content | {"images": part}))
    assert "was trained on all pictures of this set; name another one, or --split all" in scored(
        f"labelled:{folder}/a.json"
    )
    run(folder, f"labelled:{folder}/b.json", "tuned", validate="synthetic:5", init=weights)
    assert "was trained on all pictures" in scored(source, weights=folder / "tuned" / "weights.safetensors")


def test_what_the_start_weights_were_trained_on_is_not_scored(folder, capsys):
    """Fine-tuning with another division: hands of the first run's training part are held out of the second."""
    source = f"labelled:{folder}/labels.json"
    first = run(folder, source)
    weights = folder / "run" / "weights.safetensors"
    capsys.readouterr()
    record = run(folder, source, "tuned", init=weights, val_fraction=0.5, watch=[f"{source}/val", f"{source}/all"])
    held_out = record["division"]["held_out"]
    left = [name for name in held_out if name not in first["division"]["held_out"]]
    reason = "in pictures that these weights were trained on"
    assert left and record["left_out"] == {reason: left} and record["images"] == len(held_out) - len(left) > 0
    assert f"left out: {len(left)} of {len(held_out)} hands {reason} ({weights})" in capsys.readouterr().err
    # A watched set likewise, and its split "all" whole, with the number of hands that either run was trained on.
    never_trained_on = set(first["division"]["held_out"])
    assert record["elsewhere"][f"{source}/val"]["images"] == len(never_trained_on)
    assert record["elsewhere"][f"{source}/all"]["images"] == NUMBER
    trained = NUMBER - len(never_trained_on & set(held_out))
    assert record["also_trained_on"][f"{source}/all"] == trained
    # What `evaluate` leaves of these weights is what the run was scored on.
    scored, _ = unseen.unseen(open_set(source, "val"), "val", folder / "tuned" / "weights.safetensors", progress=False)
    assert len(scored) == record["images"]
    # The same division: nothing of it was trained on.
    again = run(folder, source, "again", init=weights)
    assert again["images"] == again["division"]["val"] and again["left_out"] == {}


def test_start_weights_that_were_trained_on_all_that_is_scored(folder, monkeypatch):
    content = json.loads((folder / "labels.json").read_text())
    for name, half in zip("ab", (content["images"][:6], content["images"][6:]), strict=True):
        (folder / f"{name}.json").write_text(json.dumps(content | {"images": half}))
    a, b = (f"labelled:{folder}/{name}.json" for name in "ab")
    run(folder, a, validate=b)
    never(monkeypatch)
    with pytest.raises(DataError, match="was trained on all pictures of this set; name another set with --validate"):
        run(folder, b, "back", validate=a, init=folder / "run" / "weights.safetensors")
