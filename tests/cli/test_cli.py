import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

import handpose.train
from handpose import __main__ as command
from handpose import pretrained
from handpose.__main__ import main
from handpose.cli.train import sources
from handpose.data import SyntheticHands
from handpose.skeleton import FINGERS
from handpose.train.monitor import Interrupted


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    hands = SyntheticHands(split="test")
    for i, k in enumerate((0, 2, 3)):
        cv2.imwrite(str(folder / f"hand{i}.jpg"), hands[k].image[..., ::-1])
    return folder


def test_predict_prints_and_draws(photos, tmp_path, capsys):
    assert main(["predict", str(photos / "hand0.jpg"), "--draw", str(tmp_path / "out.png"), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"hand 1 of 1, confidence (0\.[5-9]\d|1\.00), box ", lines[0]) and len(lines) == 22
    assert lines[1].split()[0] == "wrist" and "score" in lines[21]
    drawn, photo = cv2.imread(str(tmp_path / "out.png")), cv2.imread(str(photos / "hand0.jpg"))
    assert drawn.shape == photo.shape and (drawn != photo).any()
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]


def test_predict_json(photos, tmp_path):
    out = tmp_path / "out.json"
    assert main(["predict", str(photos), "--json", str(out), "--draw", str(tmp_path / "drawn"), "--device", "cpu"]) == 0
    found = json.loads(out.read_text())
    assert [image["path"].rsplit("/")[-1] for image in found["images"]] == ["hand0.jpg", "hand1.jpg", "hand2.jpg"]
    for image in found["images"]:
        (hand,) = image["hands"]
        assert set(hand) == {"keypoints", "scores", "box", "score", "gesture"}
        assert np.array(hand["keypoints"]).shape == (21, 2) and len(hand["scores"]) == 21
        x0, y0, x1, y1 = hand["box"]
        assert 0 <= x0 + 0.5 < x1 <= 256 and 0 <= y0 + 0.5 < y1 <= 256
        (letter, sure), known = hand["gesture"], "0123456789abcdefghijklmnopqrstuvwxyz"
        assert (
            0.5 <= hand["score"] <= 1 and set(letter.split("/")) <= set(known) and 0 < sure <= 1
        )  # "2/v": of one shape
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["hand0.png", "hand1.png", "hand2.png"]


def test_no_drawing_replaces_a_photo_or_another_drawing(photos, tmp_path, capsys):
    photo = tmp_path / "a" / "x.png"
    for folder, name in (("a", "x.png"), ("a", "x.jpg"), ("b", "x.jpg")):
        (tmp_path / folder).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / folder / name), cv2.imread(str(photos / "hand0.jpg")))
    before = photo.read_bytes()
    drawn, one = tmp_path / "drawn", [str(photo), str(tmp_path / "a" / "x.jpg"), str(tmp_path / "b" / "x.jpg")]
    assert main(["predict", *one, "--draw", str(drawn), "--device", "cpu"]) == 0
    assert sorted(p.name for p in drawn.iterdir()) == ["x-2.png", "x.jpg.png", "x.png.png"]
    (tmp_path / "a" / "x.jpg").unlink()
    for arguments in ([str(photo), "--draw", str(photo)], [str(tmp_path / "a"), "--draw", str(tmp_path / "a")]):
        assert main(["predict", *arguments, "--device", "cpu"]) == 1
        assert "would replace" in capsys.readouterr().err and photo.read_bytes() == before
    assert main(["predict", str(tmp_path / "a"), "--draw", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x.png"]  # a folder of one photo gives a folder


def test_pipes_are_written_to_and_links_stay(photos, tmp_path):
    fifo, target, link = tmp_path / "fifo", tmp_path / "target.json", tmp_path / "link.json"
    os.mkfifo(fifo)
    photo = str(photos / "hand0.jpg")
    with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE) as reader:
        assert main(["predict", photo, "--json", str(fifo), "--device", "cpu"]) == 0
        assert fifo.is_fifo() and "keypoints" in reader.communicate()[0].decode()
    target.write_text('{"joints": [], "weights": {}}')
    link.symlink_to(target)
    assert main(["predict", photo, "--json", str(link), "--device", "cpu"]) == 0
    assert link.is_symlink() and "keypoints" in target.read_text()


def test_predict_box(photos, tmp_path):
    out = tmp_path / "out.json"
    arguments = ["predict", str(photos / "hand1.jpg"), "--json", str(out), "--device", "cpu"]
    assert main([*arguments, "--box", "40,50,200,220"]) == 0
    (hand,) = json.loads(out.read_text())["images"][0]["hands"]
    assert hand["box"] == [40, 50, 200, 220] and hand["score"] == 1.0


def test_a_picture_without_a_hand_is_no_error(photos, tmp_path, capsys):
    grey, out = tmp_path / "in" / "grey.png", tmp_path / "out.json"
    grey.parent.mkdir()
    cv2.imwrite(str(grey), np.full((90, 120, 3), 99, np.uint8))
    assert main(["predict", str(grey), "--draw", str(tmp_path / "out.png"), "--device", "cpu"]) == 0
    assert "no hand found" in capsys.readouterr().out
    assert (cv2.imread(str(tmp_path / "out.png")) == 99).all()
    assert main(["predict", str(grey.parent), str(photos / "hand0.jpg"), "--json", str(out), "--device", "cpu"]) == 0
    assert [len(image["hands"]) for image in json.loads(out.read_text())["images"]] == [0, 1]


def test_threshold_and_refine_reach_the_pipeline(photos, tmp_path):
    found, (x0, y0, x1, y1) = {}, (40, 50, 200, 220)
    turned = tmp_path / "turned.png"  # upside down, so that the pass that is refused would be made
    cv2.imwrite(str(turned), cv2.imread(str(photos / "hand0.jpg"))[::-1, ::-1])
    for more in ((), ("--threshold", "1"), ("--no-refine",)):
        arguments = ["predict", str(photos / "hand0.jpg"), str(turned), "--json", str(tmp_path / "x.json")]
        box = () if "--threshold" in more else (f"--box={255 - x1},{255 - y1},{255 - x0},{255 - y0}",)
        assert main([*arguments, "--device", "cpu", *more, *box]) == 0
        found[more] = [image["hands"] for image in json.loads((tmp_path / "x.json").read_text())["images"]]
    assert found["--threshold", "1"] == [[], []]
    (refined,), (once,) = found[()][1], found["--no-refine",][1]
    assert refined["box"] == once["box"] and refined["keypoints"] != once["keypoints"]
    assert np.mean(refined["scores"]) > np.mean(once["scores"])


def test_one_bad_photo_does_not_stop_the_rest(photos, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes((photos / "hand0.jpg").read_bytes()[:2000])
    out = tmp_path / "out.json"
    code = main(["predict", str(photos / "hand0.jpg"), str(bad), str(tmp_path / "none.jpg"), str(photos / "hand1.jpg"),
                 "--json", str(out), "--device", "cpu"])  # fmt: skip
    errors = capsys.readouterr().err
    assert code == 1 and len(json.loads(out.read_text())["images"]) == 2
    assert "bad.jpg: a truncated JPEG" in errors and "none.jpg: cannot be read" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "nowhere.jpg"], "nowhere.jpg"),
        (["predict", "PHOTO", "--box", "1,2,3"], "box"),
        (["predict", "PHOTO", "--box", "a,b,c,d"], "--box a,b,c,d"),
        (["predict", "PHOTO", "--box", "50,50,10,10"], "wrong order"),
        (["predict", "PHOTO", "--box", "nan,0,10,10"], "finite"),
        (["predict", "PHOTO", "--box", "900,900,950,950"], "outside the picture"),
        (["predict", "PHOTO", "--threshold", "1.5"], "between 0 and 1"),
        (["predict", "PHOTO", "--weights", "nowhere.safetensors"], "no such weights file"),
        (["predict", "PHOTO", "--json", "/dev/null/x.json"], "cannot be written"),
        (["predict", "PHOTO", "--draw", "/dev/null/x.png"], "cannot be written"),
        (["predict", "PHOTO", "--device", "meta"], "'meta' cannot be used here"),
        (["predict", "PHOTOS", "--draw", "FILE"], "must be a folder for several photos, and this is a file"),
        (["predict", "EMPTY"], "no pictures"),
        (["predict", "PHOTO", "--device", "gpu7"], "gpu7"),
        (["evaluate", "--data", "nonsense"], "unknown data set"),
        (["evaluate", "--data", "coco:https://x.org/a.json"], "https://x.org/a.json: is an address; download it first"),
        (["predict", "PHOTO", "--weights", "https://x.org/w.safetensors"], "w.safetensors: is an address; download"),
        (["evaluate", "--data", "hand-keypoints:/nowhere"], "no such folder"),
        (["evaluate", "--data", "synthetic:2", "--split", "tset"], "no split"),
        (["predict", "PHOTO", "--draw", "drawn.txt"], "ends in .png"),
        (["predict", "PHOTO", "PHOTOS", "--draw", "drawn.png"], "need a folder"),
        (["train", "--config", "quick", "--data", ",", "--out", "OUT"], "no data set"),
        (["train", "--config", "quick", "--data", "synthetic:4", "--seed", "-1", "--out", "OUT"], "the seed is -1"),
        (["train", "--config", "quick", "--data", "synthetic:4", "--validate", "nope", "--out", "OUT"], "nope"),
        (["train", "--config", "labtop", "--data", "synthetic:4", "--out", "OUT"], "labtop"),
        (["train", "--config", "quick", "--data", "nonsense", "--out", "OUT"], "unknown data set"),
        (["train", "--config", "quick", "--data", "synthetic:4", "--out", "OUT", "--resume"], "nothing to resume"),
    ],
)
def test_errors_are_one_line(photos, tmp_path, capsys, arguments, words):
    (tmp_path / "empty").mkdir()
    names = {
        "PHOTO": str(photos / "hand0.jpg"),
        "EMPTY": str(tmp_path / "empty"),
        "OUT": str(tmp_path / "run"),
        "PHOTOS": str(photos),
        "FILE": str(tmp_path / "file"),
    }
    (tmp_path / "file").touch()
    assert main([names.get(a, a) for a in arguments]) == 1
    errors = capsys.readouterr().err
    assert words in errors and errors.startswith("error: ") and errors.count("\n") == 1
    assert not (tmp_path / "run").exists()  # nothing is left behind


def test_evaluate(tmp_path, capsys):
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--data", "synthetic:30", "--split", "test", "--json", str(out), "--device", "cpu"]) == 0
    found = json.loads(out.read_text())
    assert (found["data"], found["split"], found["images"], found["weights"]) == (
        "synthetic",
        "test",
        30,
        "laptop.safetensors",
    )
    assert set(found["metrics"]["pck_bone"]) == {"0.15", "0.2", "0.25", "0.3"}
    assert set(found["metrics"]["pck_box"]) == {"0.05", "0.1", "0.2"}
    assert {"auc_30px", "epe_mean_px", "epe_median_px"} <= set(found["metrics"]) and "parts" not in found
    assert found["intervals"]["pck_bone"]["0.2"] is found["intervals"]["epe_median_px"] is None  # of two groups
    assert found["groups"]["number"] == 2 and found["left_out"] == {}
    stdout = capsys.readouterr().out
    assert "PCK at 0.2 of s" in stdout and "no intervals: 2 groups" in stdout and " to " not in stdout.split("PCK")[1]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Eight rendered hands in COCO's form, in a folder whose name holds a comma; two cannot be scored."""
    root = tmp_path_factory.mktemp("mine, and yours")
    value, names = {"images": [], "annotations": []}, ["wrist", *(f"{f}{k}" for f in FINGERS for k in range(1, 5))]
    for i in range(8):
        sample = SyntheticHands(seed=2, size=96)[i]
        cv2.imwrite(str(root / f"{i}.png"), sample.image[..., ::-1])
        keypoints = [n for x, y in sample.keypoints.tolist() for n in (x, y, 2)]
        if i == 6:  # a first click
            keypoints[3:] = [0] * 60
        if i == 7:  # a hand that has left the picture
            keypoints[::3] = [x - 500 for x in keypoints[::3]]
        value["images"].append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 96})
        value["annotations"].append({"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints})
    value["categories"] = [{"id": 1, "name": "hand", "keypoints": names}]
    (root / "labels.json").write_text(json.dumps(value))
    return root / "labels.json"


def test_evaluate_labels_of_ones_own(own, tmp_path, capsys):
    """Hands without a scale are left out, counted and named; groups are photographs, and it is said."""
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--data", f"coco:{own}", "--split", "all", "--json", str(out), "--device", "cpu"]) == 0
    found, stdout = json.loads(out.read_text()), capsys.readouterr().out
    assert found["images"] == 6 and found["groups"] == {"number": 6, "kind": "photograph"}
    assert sorted(name for names in found["left_out"].values() for name in names) == ["6.png#6", "7.png#7"]
    assert "left out of the scores: 1 (no visible joint): 7.png#7" in stdout and "6, each a photograph" in stdout
    low, high = found["intervals"]["epe_median_px"]
    assert low <= found["metrics"]["epe_median_px"] <= high
    assert (
        main(["evaluate", "--data", f"coco:{own}", "--joint-order", "rhd", "--json", str(out), "--device", "cpu"]) == 0
    )
    other = json.loads(out.read_text())
    assert "order of the joints: rhd, as asked for" in other["notes"]
    assert other["metrics"]["epe_mean_px"] > found["metrics"]["epe_mean_px"]
    assert main(["data", "show", f"coco:{own}", "--out", str(tmp_path / "s.png"), "--joint-order", "canonical"]) == 0
    assert "coco: order of the joints: canonical" in capsys.readouterr().out
    assert main(["evaluate", "--data", "synthetic:5", "--joint-order", "rhd"]) == 1
    assert "--joint-order cannot be given, only for coco" in capsys.readouterr().err


def test_sets_are_named_once_or_several_times(own, tmp_path):
    """A comma divides before a set's name alone."""
    coco = f"coco:{own}"
    assert "," in coco and sources([coco]) == [coco] and sources([coco, "synthetic:9"]) == [coco, "synthetic:9"]
    assert sources([f"{coco},synthetic:9,massey"]) == [coco, "synthetic:9", "massey"]
    assert sources(["hand-keypoints,massey,", "wild"]) == ["hand-keypoints", "massey", "wild"]
    assert sources(["coco:a,b.json"]) == ["coco:a,b.json"] and sources([",", ""]) == []
    assert sources([f"{coco}/val,wild/val,asl-letters/all"]) == [f"{coco}/val", "wild/val", "asl-letters/all"]
    comma = tmp_path / "a,wild" / "l.json"
    comma.parent.mkdir()
    comma.write_text("{}")
    assert sources([f"coco:{comma}/val", "synthetic:9/test"]) == [f"coco:{comma}/val", "synthetic:9/test"]
    assert sources([f"coco:{tmp_path}/b,massey"]) == [f"coco:{tmp_path}/b", "massey"]


def test_evaluate_parts(small_set, tmp_path):
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--data", f"hand-keypoints:{small_set}", "--json", str(out), "--device", "cpu"]) == 0
    found = json.loads(out.read_text())
    assert found["data"] == "hand-keypoints" and set(found["parts"]) == {"A", "B", "C"}
    assert {"pck_bone", "pck_box", "auc_30px"} <= set(found["parts"]["A"])


def test_help_and_wrong_usage():
    done = subprocess.run([sys.executable, "-m", "handpose", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and all(w in done.stdout for w in ("train", "evaluate", "predict"))
    done = subprocess.run([sys.executable, "-m", "handpose"], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_an_interrupted_run_and_ctrl_c_end_with_130(monkeypatch, capsys):
    for error, words in ((Interrupted("saved at step 3"), "saved at step 3"), (KeyboardInterrupt(), "stopped")):

        def interrupted(*_, error=error):
            raise error

        monkeypatch.setattr(command.doctor, "versions", interrupted)
        assert main(["doctor"]) == 130
        assert capsys.readouterr().err.strip() == words


def test_whoever_reads_the_output_may_stop():
    done = subprocess.run(
        f"{sys.executable} -m handpose data list | head -n 1", shell=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("synthetic") and done.stderr == ""


def test_an_option_that_was_renamed_is_refused_with_the_new_one(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["predict", "hand.jpg", "--second-look"])
    stderr = capsys.readouterr().err
    assert ended.value.code == 2 and "--second-look is gone" in stderr and "--no-refine" in stderr


@pytest.mark.parametrize(
    ("config", "init", "noted"), [("tune", False, True), ("tune", True, False), ("quick", False, False)]
)
def test_tuning_without_start_weights_is_noted(tmp_path, monkeypatch, capsys, config, init, noted):
    monkeypatch.setattr(handpose.train, "train", lambda *_, **options: {})
    start = ["--init", str(pretrained.bundled())] if init else []
    assert main(["train", "--config", config, "--data", "synthetic:4", "--out", str(tmp_path / "run"), *start]) == 0
    errors = capsys.readouterr().err
    assert ("tune is for weights that are already good" in errors) == noted and errors.count("\n") == noted
