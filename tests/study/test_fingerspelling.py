"""From pictures to letters: persons left out, detectors, and the whole of section 4.1 on written videos."""

import importlib.util
import json
from importlib import resources

import numpy as np
import pytest

from handpose import HandPose, PoseEstimationNet, gesturenet, pretrained
from handpose import __main__ as command
from handpose.data import DataError
from handpose.data.readers import labelled, rwth
from handpose.data.sample import Sample
from handpose.data.synthetic import GERMAN_ALPHABET, render
from handpose.data.synthetic.letters import RenderedAlphabet
from handpose.detector import HandDecNet
from handpose.study import fingerspelling
from handpose.study.fingerspelling import Signs, leave_one_out, report
from tests.conftest import ROOT
from tests.data.test_rwth import FOURCCS, write_video
from tests.scripts.test_label_keypoints import script

spec = importlib.util.spec_from_file_location("gesture_bundle", ROOT / "data_scripts" / "gesture_bundle.py")
bundle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bundle)

PERSONS = 4


@pytest.fixture(scope="module")
def signs():
    """Six letters by four made-up persons, three times each, with points that tell them apart."""
    rng = np.random.default_rng(0)
    shapes = {name: rng.normal(0, 2, (21, 2)) for name in "abcdef"}
    who = [(name, f"p{p}") for p in range(PERSONS) for name in shapes for _ in range(3)]
    keypoints = [shapes[name] + rng.normal(0, 0.1, (21, 2)) for name, _ in who]
    labels, persons = zip(*who, strict=True)
    return Signs(np.float32(keypoints), np.array(labels), np.array(persons), [str(i) for i in range(len(who))])


def test_nobody_who_is_read_has_taught(signs):
    taught = []

    def make(known):
        taught.append(set(known.persons))
        return fingerspelling.neighbour_reader(known)

    found = leave_one_out(signs, make)
    assert (found == signs.labels).all() and len(taught) == PERSONS
    assert [set(signs.persons) - t for t in taught] == [{f"p{p}"} for p in range(PERSONS)]
    with pytest.raises(ValueError, match="only p0: somebody must be left"):
        leave_one_out(signs[signs.persons == "p0"], make)


def test_a_network_reads_as_well_and_the_same_seed_reads_the_same(signs):
    make = fingerspelling.network_reader(steps=200, seed=3)
    readings = [make(signs[signs.persons != "p0"])(signs.keypoints) for _ in range(2)]
    assert (readings[0] == readings[1]).all() and (readings[0] == signs.labels).mean() > 0.95


def test_a_report_counts_merges_and_splits_by_person(signs):
    found = signs.labels.copy()
    found[(signs.labels == "a") & (signs.persons == "p1")] = "b"
    entry = report(found, signs, {"a": "b"})
    assert entry["wer"] == pytest.approx(3 / 72) and entry["signs"] == 72
    assert entry["interval"][0] < entry["wer"] < entry["interval"][1]
    assert entry["merged"]["wer"] == 0 and entry["persons"]["p1"]["wer"] == pytest.approx(3 / 18)
    counts = fingerspelling.confusion(found, signs.labels, list("abcdef"))
    assert counts.sum() == 72 and counts[0, 1] == 3 and counts[0, 0] == 9 and np.trace(counts) == 69


def test_the_random_split_is_drawn_by_its_seed(signs):
    both = [fingerspelling.random_split(signs, fingerspelling.neighbour_reader, 0.25, seed) for seed in (1, 1, 2)]
    assert len(both[0][1]) == 18 and (both[0][1] == both[1][1]).all() and (both[0][1] != both[2][1]).any()


def test_finders_and_the_network_s_points():
    alphabet = RenderedAlphabet(1, "val", size=96)
    samples = [alphabet[i] for i in (0, 9, 20)]
    mask = fingerspelling.mask_box(samples[1])
    assert mask.shape == (4,) and abs(mask - samples[1].box).max() < 0.2 * np.ptp(samples[1].box)
    full = fingerspelling.detected_box(HandDecNet().eval(), threshold=1.0)(samples[0])
    assert full.tolist() == [0, 0, 95, 95]  # an untrained detector finds nothing
    images = fingerspelling.cut(samples, 64)
    signs = fingerspelling.look(PoseEstimationNet(width=0.125), images)
    assert signs.keypoints.shape == (3, 21, 2) and signs.labels.tolist() == [s.shape for s in samples]
    true = fingerspelling.with_labels(samples)
    assert np.allclose(true.keypoints[0], gesturenet.normalise(samples[0].keypoints))
    samples[0].shape = None
    with pytest.raises(ValueError, match="nobody says which letter"):
        fingerspelling.cut(samples, 64)


def test_signs_as_handpose_sees_them_and_hands_that_it_does_not_find():
    alphabet = RenderedAlphabet(1, "val", size=96)
    samples = [alphabet[i] for i in (0, 9)]
    hp = HandPose(PoseEstimationNet(width=0.125), 64, HandDecNet(), threshold=1.0)  # which finds nothing
    given = fingerspelling.find_signs(hp, samples, fingerspelling.labelled_box, person=lambda sample: "somebody")
    keypoints = hp(samples[1].image, boxes=[samples[1].box])[0].keypoints
    assert np.allclose(given.keypoints[1], gesturenet.normalise(keypoints)) and set(given.persons) == {"somebody"}
    missed = fingerspelling.find_signs(hp, samples)
    assert np.isnan(missed.keypoints).all() and missed.labels.tolist() == [s.shape for s in samples]
    net = gesturenet.GestureNet(["a", "b"], spread=True)
    assert fingerspelling.read_signs(net, missed).tolist() == ["", ""]
    assert set(fingerspelling.read_signs(net, given)) <= {"a", "b"}


def test_alike_signs_share_one_label():
    assert fingerspelling.merged(list("0o2v6w9f1d"), fingerspelling.ALIKE).tolist() == [
        "0/o", "0/o", "2/v", "2/v", "6/w", "6/w", "9/f", "9/f", "1", "d",
    ]  # fmt: skip


def test_the_bundle_is_scored_on_nobody_it_has_learned_from(signs, monkeypatch):
    monkeypatch.setitem(bundle.TRAINING, "steps", 300)
    taught = []
    learn = bundle.learn
    monkeypatch.setattr(
        bundle, "learn", lambda *a, **k: (taught.append([set(s.persons) for s in a[:2]]), learn(*a, **k))[1]
    )
    names = np.array([f"massey {p}" if p != "p3" else "another" for p in signs.persons])
    known = Signs(signs.keypoints, signs.labels, names, signs.ids)
    table = bundle.by_person(known, known, np.zeros((4, 21, 2), np.float32))
    assert list(table) == sorted(set(names)) and all(e["found"]["wer"] < 0.1 for e in table.values())
    assert [set(names) - some for pair in taught for some in pair] == [{n} for n in sorted(set(names)) for _ in "12"]


def test_labels_of_wild_that_are_words_are_no_letters():
    def shows(shape, group, tip=-5.0):
        keypoints = np.zeros((21, 2), np.float32)
        keypoints[8, 1] = tip
        return bundle.shows_its_sign(Sample(np.zeros((9, 9, 3), np.uint8), keypoints, np.ones(21, bool),
                                            np.array([0, 0, 8, 8], np.float32), group, "1", shape=shape))  # fmt: skip

    assert shows("s", "aslalpha-S12.jpg") and not shows("s", "aslalpha-Space12.jpg")
    assert not shows("n", "aslalpha-Nothingc3.jpg") and not shows("d", "aslalpha-D138.jpg", tip=5.0)
    assert shows("d", "aslalpha-D138.jpg") and shows("7", "digits-3") and not shows("z", "aslalpha-Z1.jpg")
    assert not shows(None, "raga-1.jpg")


def test_the_rendered_alphabet():
    alphabet, others = RenderedAlphabet(2, "train", size=48), RenderedAlphabet(3, "test", size=48)
    assert len(alphabet) == 60 and [alphabet[i].shape for i in (0, 29, 30)] == ["A", "5", "A"]
    first, again = alphabet[31], RenderedAlphabet(5, "train", size=48)[31]
    assert (first.image == again.image).all() and first.group == "person-train-1" and first.visible.all()
    assert others[31].group == "person-test-1" and (others[31].image != first.image).any()
    assert {s.shape for s in (alphabet[i] for i in range(0, 30, 7))} <= set(GERMAN_ALPHABET)
    with pytest.raises(IndexError):
        alphabet[60]
    with pytest.raises(ValueError, match="persons must be at least 1"):
        RenderedAlphabet(0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Six signers, three letters, in the RWTH layout; one file is broken."""
    root = tmp_path_factory.mktemp("rwth-letters")
    for gesture, name in ((2, "B"), (12, "L"), (25, "Y")):
        hand = render(name, size=160).image
        for signer in range(1, 7):
            write_video(root / "video" / str(gesture) / f"{signer}_{gesture}_1_cam1.mpg", hand, signer, gesture, 7)
    if not (root / "video/2/1_2_1_cam1.mpg").is_file():
        pytest.skip(f"this OpenCV writes no MPEG files (tried {', '.join(FOURCCS)})")
    (root / "video/2/3_2_2_cam1.mpg").touch()
    return root


def test_evaluate_reads_letters_from_videos(videos, tmp_path, monkeypatch, capsys):
    original = fingerspelling.score_rwth
    monkeypatch.setattr(fingerspelling, "score_rwth", lambda *a, **k: original(*a, **k, steps=300))
    file = tmp_path / "letters.json"
    assert command.main(["evaluate", "--data", f"rwth:{videos}", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["images"] == 6 and set(found["persons"]) == {"signer-1", "signer-6"} and found["learned_from"] == 12
    assert found["metrics"]["wer"] <= 1 / 3 and found["skipped"] == ["2/3_2_2_cam1.mpg"]
    captured = capsys.readouterr()
    assert "word error rate" in captured.out and "files skipped: 1" in captured.out
    assert "skipped 2/3_2_2_cam1.mpg: the file is empty" in captured.err
    with pytest.raises(DataError, match="val or paper-val"):
        original(None, 64, None, str(videos), "train")
    assert command.main(["evaluate", "--data", f"rwth:{tmp_path / 'nowhere'}"]) == 1


def test_section_4_1_from_videos_to_word_error_rate(videos, tmp_path, monkeypatch, capsys):
    """Frames of training signers are written and labelled, the network is tuned and frozen, and letters are read."""
    signs = rwth.Rwth(videos)
    frames = script.write_frames(signs, tmp_path / "frames", 6)
    assert len(frames) == 6 and {f.name.split("-")[0] for f in frames} == {"2", "12", "25"}
    assert {f.name.split("_")[0].split("-")[1] for f in frames} <= {"2", "3", "4", "5"}  # nobody who is tested on
    before = [f.stat().st_mtime_ns for f in frames]
    assert script.write_frames(signs, tmp_path / "frames", 6) == frames
    assert [f.stat().st_mtime_ns for f in frames] == before

    labels = labelled.LabelFile(tmp_path / "labels.json")
    for file in frames:
        letter = rwth.GESTURES[int(file.name.split("-")[0]) - 1]
        keypoints = (render(letter, size=160).keypoints + (60, 60)) * (1, 4 / 3)  # where `write_video` puts the hand
        labels.put(file, (rwth.SIDE, rwth.SIDE), keypoints.tolist())
    labels.save()
    settings = tmp_path / "tune.toml"
    laptop = (resources.files("handpose.train.configs") / "laptop.toml").read_text()  # the bundled weights' own network
    settings.write_text(laptop.replace("steps = 7500", "steps = 4").replace("batch = 24", "batch = 6"))
    tuned = tmp_path / "run"
    start = ["--init", str(pretrained.bundled()), "--data", f"labelled:{tmp_path / 'labels.json'}"]
    where = ["--config", str(settings), "--validate", "synthetic:8", "--out", str(tuned)]
    assert command.main(["train", *start, *where]) == 0

    original = fingerspelling.score_rwth
    monkeypatch.setattr(fingerspelling, "score_rwth", lambda *a, **k: original(*a, **k, steps=300))
    file, weights = tmp_path / "letters.json", tuned / "weights.safetensors"
    frozen = weights.read_bytes()
    assert command.main(["evaluate", "--data", f"rwth:{videos}", "--weights", str(weights), "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["weights"] == "weights.safetensors" and found["images"] == 6 and found["metrics"]["wer"] <= 1 / 3
    assert weights.read_bytes() == frozen
    low, high = found["intervals"]["wer"]
    assert low <= found["metrics"]["wer"] <= high and "word error rate" in capsys.readouterr().out
