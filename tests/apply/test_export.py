"""ONNX files give what PyTorch gives, through the same pipeline; and every file that cannot be used is one line."""

import copy
import errno
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from handpose import HandPose, PoseEstimationNet, arrays, crop, detector, gesturenet, networks, pretrained
from handpose.__main__ import main
from handpose.apply import export, onnx_runtime
from handpose.cpm import DirectRegression
from handpose.data import SyntheticHands
from handpose.gesturenet import GestureNet
from handpose.posenet import predict_crops

onnx = pytest.importorskip("onnx", reason='the extra "onnx" is not installed')
FILES = sorted(onnx_runtime.FILES.values())


@pytest.fixture(scope="module")
def sessions(exported):
    return onnx_runtime.load(exported[0], threads=1)


@pytest.fixture(scope="module")
def both(exported):
    return HandPose.from_pretrained(device="cpu", backend="torch"), HandPose.from_onnx(exported[0], threads=1)


@pytest.fixture(scope="module")
def hands():
    return [SyntheticHands(split="test")[i] for i in range(6)]


def test_the_command_writes_three_files_and_three_lines(exported):
    folder, printed = exported
    assert sorted(p.name for p in folder.iterdir()) == FILES
    lines = printed.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(str(folder)) and "differ from PyTorch's by at most" in line for line in lines)


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_key_points_are_those_of_pytorch(sessions, hands, batch):
    net, size = pretrained.load()
    g = np.random.default_rng(batch)
    noise = g.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    drawn = [crop.crop_box(h.image, h.box + g.normal(0, 4, 4).astype(np.float32), size).image for h in hands]
    for crops in (noise, np.stack([drawn[i % len(drawn)] for i in range(batch)])):
        (keypoints, scores), (other, sure) = (arrays.run("pose", n, crops) for n in (net, sessions["pose"]))
        every, peaks = predict_crops(net, crops)  # as training and evaluation decode them
        assert np.allclose(keypoints, every[-1], atol=1e-3) and np.allclose(scores, peaks[-1], atol=1e-5)
        assert keypoints.shape == other.shape and np.abs(scores - sure).max() < 1e-4
        assert np.abs(keypoints - other).max() < 0.05  # pixels of the crop


@pytest.mark.parametrize("batch", [1, 3])
def test_the_detector_is_that_of_pytorch(sessions, hands, batch):
    net, size = pretrained.load(kind=detector.HandDecNet)
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    for first, second in zip(*(arrays.run("detector", n, images) for n in (net, sessions["detector"])), strict=True):
        assert first.shape == second.shape and np.allclose(first, second, rtol=1e-4, atol=1e-3)
    pairs = [np.concatenate([a.image, b.image[:, ::-1]], 1) for a, b in zip(hands, hands[1:], strict=False)]
    found, again = (detector.detect(n, pairs, threshold=0.3) for n in (net, sessions["detector"]))
    assert sum(len(boxes) for boxes, _ in found) > len(pairs)
    for (boxes, sure), (other, also) in zip(found, again, strict=True):
        assert (
            boxes.shape == other.shape and np.allclose(boxes, other, atol=0.01) and np.allclose(sure, also, atol=1e-4)
        )


def test_letters_are_those_of_pytorch(sessions):
    reader, _ = pretrained.load(kind=GestureNet)
    keypoints = np.random.default_rng(0).normal(size=(40, 21, 2)).astype(np.float32)
    assert sessions["gesture"].labels == reader.labels
    (first,), (second,) = (arrays.run("gesture", n, keypoints) for n in (reader, sessions["gesture"]))
    assert np.allclose(first, second, atol=1e-4) and np.allclose(
        first, gesturenet.read(reader, keypoints)[1], atol=1e-5
    )


@pytest.mark.parametrize("refine", [False, True])
def test_the_pipeline_gives_the_same_hands(both, hands, refine):
    images, number = [*(h.image for h in hands), np.concatenate([hands[3].image, hands[3].image[:, ::-1]], 1)], 0
    for image in images:
        for hp in both:
            hp.refine = refine
        found, again = (hp(image) for hp in both)
        assert len(found) == len(again)
        number += len(found)
        for a, b in zip(found, again, strict=True):
            side = max(a.box[2:] - a.box[:2]) * crop.MARGIN / both[0].size  # of a crop's pixel in the picture
            apart = np.abs(a.keypoints - b.keypoints).max(1) / max(side, 1)
            # Where a map is nearly flat, rounding moves its peak further; and a refinement pass looks at a crop that
            # the first pass' rounding has moved. A faint map may have two peaks that are as high: either may win.
            tie = (apart >= 0.2) & (a.scores < 0.4) & (np.abs(a.scores - b.scores) < 1e-3)
            assert tie.sum() <= 1, (apart, a.scores, b.scores)
            assert apart[a.scores > 0.4].max() < (0.15 if refine else 0.05) and apart[~tie].max() < 0.2, apart
            assert np.allclose(a.box, b.box, atol=0.01)
            assert abs(a.score - b.score) < 1e-3 and np.allclose(a.scores, b.scores, atol=0.01)
            assert a.gesture[0] == b.gesture[0] and (tie.any() or abs(a.gesture[1] - b.gesture[1]) < 0.01)
    assert number >= len(images)
    assert both[1](np.full((90, 120, 3), 99, np.uint8)) == []
    given = [hp(hands[0].image, boxes=[hands[0].box])[0].keypoints for hp in both]
    assert np.allclose(*given, atol=0.05)


def test_predict_takes_the_folder(exported, hands, tmp_path, capsys):
    import cv2

    photo = str(tmp_path / "hand.png")
    cv2.imwrite(photo, hands[3].image[..., ::-1])
    for name, more in (("a.json", ["--device", "cpu"]), ("b.json", ["--onnx", str(exported[0])])):
        assert main(["predict", photo, "--json", str(tmp_path / name), *more]) == 0
    ((a,), (b,)) = (json.loads((tmp_path / name).read_text())["images"][0]["hands"] for name in ("a.json", "b.json"))
    assert np.allclose(a["keypoints"], b["keypoints"], atol=0.05) and a["gesture"][0] == b["gesture"][0]
    assert main(["predict", photo, "--onnx", str(exported[0]), "--device", "cuda"]) == 1
    assert "on the processor only" in capsys.readouterr().err


def test_a_file_says_all_that_its_use_needs(sessions):
    about = {kind: net.about for kind, net in sessions.items()}
    assert about["gesture"]["labels"] == list(pretrained.load(kind=GestureNet)[0].labels)
    assert about["detector"]["settings"] == onnx_runtime.DETECTOR and about["detector"]["size"] == detector.SIZE
    assert about["pose"]["size"] == pretrained.load()[1] and about["pose"]["margin"] == crop.MARGIN
    for entry in about.values():
        assert "NC" in entry["licence"] and len(entry["weights_sha256"]) == 64


def test_a_file_is_good_onnx_with_any_batch_and_says_nothing_of_the_machine(exported):
    for name in FILES:
        model = onnx.load(exported[0] / name)
        onnx.checker.check_model(model, full_check=True)
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
        assert str(Path(export.__file__).parent).encode() not in (exported[0] / name).read_bytes()


@pytest.mark.parametrize(
    "net",
    [
        PoseEstimationNet(width=0.125, heads=2, attention=(10, 14), position="learned", stages=3),
        PoseEstimationNet(width=0.125, heads=2, stages=1),
        DirectRegression(width=0.125, hidden=16),
    ],
    ids=["learned positions, two blocks", "one stage", "regression"],
)
def test_other_networks(net):
    """Other grids and other networks, as they come from `pretrained.load`."""
    example = export.example("pose", 48)
    import onnxruntime

    raw = export.translate(networks.end_to_end("pose", net.eval()), example, "pose")
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        given = example[:batch].numpy()
        (keypoints, scores), (other, also) = arrays.run("pose", net, given), session.run(None, {"crops": given})
        assert np.allclose(scores, also, atol=1e-4)
        # The maps of untrained networks are nearly flat in places, and rounding moves a peak there.
        assert keypoints.shape == other.shape and np.median(np.abs(keypoints - other)) < 0.01


def forged(raw: bytes, **changes) -> bytes:
    """A file with other metadata, or another graph, whose hash is right."""
    import hashlib

    model = onnx.load_from_string(raw)
    about = json.loads(model.metadata_props.pop().value)
    body = changes.pop("body", raw[: about["bytes"]])
    about |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} | changes
    entry = onnx.StringStringEntryProto(key=onnx_runtime.KEY, value=json.dumps(about))
    return body + onnx.ModelProto(metadata_props=[entry]).SerializeToString()


def other_model(inputs: list, outputs: list, **more) -> bytes:
    """A small model that hands its input on."""
    value, kind = onnx.helper.make_tensor_value_info, more.get("kind", onnx.TensorProto.UINT8)
    graph = onnx.helper.make_graph(
        more.get("nodes") or [onnx.helper.make_node("Identity", ["x"], ["y"])], "other",
        [value("x", kind, inputs)], [value("y", kind, outputs)], more.get("constants", []),
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", export.OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def outside() -> bytes:
    """A model that wants to read its numbers from another file of the machine."""
    constant = onnx.helper.make_tensor("w", 1, [1], [0.0])
    constant.ClearField("float_data")
    constant.data_location = onnx.TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="../../../../etc/passwd")
    return other_model(["batch", 3], ["batch", 3], constants=[constant], kind=1,
                       nodes=[onnx.helper.make_node("Add", ["x", "w"], ["y"])])  # fmt: skip


SAME = ["batch", 128, 128, 3]
WRONG = {
    "missing": (None, "cannot be read"),
    "empty": (lambda raw: b"", "not a file that"),
    "text": (lambda raw: b"not a network" * 9, "not a file that"),
    "truncated": (lambda raw: raw[: len(raw) // 2], "not a file that"),
    "without its end": (lambda raw: raw[: json.loads(onnx.load_from_string(raw).metadata_props[0].value)["bytes"]],
                        "not a file that"),
    "damaged": (lambda raw: raw[:-9000] + bytes(b ^ 1 for b in raw[-9000:-8000]) + raw[-8000:], "damaged (its network"),
    "foreign": (lambda raw: other_model(SAME, SAME), "not a file that"),
    "metadata of no sense": (lambda raw: forged(raw, format=["?"]), "not a file that"),
    "metadata of a giant": (lambda raw: forged(raw, size=10**9), "not a file that"),
    "another input": (lambda raw: forged(raw, size=64), "does not run on an input of"),
    "another output": (lambda raw: forged(raw, body=other_model(SAME, SAME)), "gives outputs of"),
    "numbers elsewhere": (lambda raw: forged(raw, body=outside()), "not an ONNX file that runs"),
    "another network": (lambda raw: forged(raw, kind="gesture"), "holds the network 'gesture'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_cannot_be_used_is_one_line(exported, tmp_path, capfd, kind):
    change, words = WRONG[kind]
    for name in FILES:
        (tmp_path / name).write_bytes((exported[0] / name).read_bytes())
    file = tmp_path / "pose.onnx"
    raw = file.read_bytes()
    file.unlink() if change is None else file.write_bytes(change(raw))
    with pytest.raises(onnx_runtime.OnnxError) as error:
        HandPose.from_onnx(tmp_path, threads=1)
    assert words in str(error.value) and "pose.onnx" in str(error.value) and "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_detector_with_other_anchors_is_refused(exported):
    raw = forged((exported[0] / "detector.onnx").read_bytes(), settings={"strides": [8]})
    with pytest.raises(onnx_runtime.OnnxError, match="other settings"):
        onnx_runtime.Network(raw, "detector", threads=1)


def test_a_folder_that_is_not_there_and_threads_that_are_none(exported, tmp_path, capsys):
    assert main(["predict", "photo.jpg", "--onnx", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    for threads in (0, -1, "2", 1.5):
        with pytest.raises(ValueError, match=f"threads is {threads!r}; a whole number is needed, at least 1"):
            HandPose.from_onnx(exported[0], threads=threads)
    with pytest.raises(onnx_runtime.OnnxError, match="detector.onnx: cannot be read"):
        HandPose.from_onnx(tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_extra_a_line_says_what_to_install(exported, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["export", "--out", str(tmp_path / "out")]) == 1
    line = capsys.readouterr().err
    assert "pip install onnx onnxscript onnxruntime" in line and line.count("\n") == 1
    assert not (tmp_path / "out").exists()
    if package == "onnxruntime":
        with pytest.raises(onnx_runtime.OnnxError, match="pip install onnxruntime$"):
            HandPose.from_onnx(exported[0])


@pytest.fixture
def quick(monkeypatch, exported):
    """The export without its work: the networks are those of the module's files."""

    def cached(net, example, kind):
        raw = (exported[0] / onnx_runtime.FILES[kind]).read_bytes()
        return raw[: json.loads(onnx.load_from_string(raw).metadata_props[0].value)["bytes"]]

    monkeypatch.setattr(export, "translate", cached)


def test_the_same_networks_give_the_same_bytes(quick, exported, tmp_path):
    export.export(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (exported[0] / name).read_bytes()


def test_a_full_disk_leaves_the_old_files(quick, tmp_path, monkeypatch, capsys):
    for name in FILES:
        (tmp_path / name).write_text("old")
    write = Path.write_bytes

    def full(path, raw):
        if path.name.endswith("gesture.onnx"):
            write(path, raw[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, raw)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["export", "--out", str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert "gesture.onnx: cannot be written (No space left" in line and line.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    assert all((tmp_path / name).read_text() == "old" for name in FILES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "/dev/null/x"], "cannot be written"),
        (["--out", "OUT", "--weights", "nowhere.safetensors"], "no such weights file"),
        (["--out", "OUT", "--weights", str(pretrained.bundled(pretrained.DETECTOR))], "holds 'handpose.HandDecNet/1'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(quick, tmp_path, capsys, arguments, words):
    assert main(["export", *(str(tmp_path / "out") if a == "OUT" else a for a in arguments)]) == 1
    line = capsys.readouterr().err
    assert words in line and line.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_network_that_came_out_different_is_not_written(quick, tmp_path, monkeypatch):
    def other(weights=None, *, kind=None):
        net, size = pretrained_load(weights, kind=kind)
        with torch.no_grad():
            next(net.parameters()).mul_(1.01)
        return net, size

    pretrained_load = pretrained.load
    monkeypatch.setattr(pretrained, "load", other)
    with pytest.raises(onnx_runtime.OnnxError, match="differs from PyTorch"):
        export.export(tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())


def test_copies_and_pickles_read_the_files_again(exported, both, hands, tmp_path, monkeypatch):
    """For the processes of multiprocessing, which may run in another folder; both backends, the same key-points."""
    monkeypatch.chdir(exported[0].parent)
    relative = HandPose.from_onnx(exported[0].name, threads=1)
    pickled = pickle.dumps(relative)
    monkeypatch.chdir(tmp_path)
    assert len(pickled) < 10_000
    for hp, again in ((relative, pickle.loads(pickled)), (both[0], pickle.loads(pickle.dumps(both[0]))),
                      (both[1], copy.deepcopy(both[1]))):  # fmt: skip
        (found,), (expected,) = (each(hands[0].image, boxes=[hands[0].box]) for each in (again, hp))
        assert np.array_equal(found.keypoints, expected.keypoints) and found.gesture == expected.gesture


def test_a_pickle_of_a_file_that_has_changed_is_one_line(exported, tmp_path):
    folder = tmp_path / "onnx"
    shutil.copytree(exported[0], folder)
    pickled = pickle.dumps(onnx_runtime.load(folder, threads=1)["gesture"])
    raw = (folder / "gesture.onnx").read_bytes()
    with pytest.raises(onnx_runtime.OnnxError, match="not read from a file"):
        pickle.dumps(onnx_runtime.Network(raw, "gesture", threads=1))
    about = onnx_runtime.read_about(raw, "gesture")
    changed = raw[: about["bytes"]] + onnx.ModelProto(doc_string="of another day").SerializeToString()
    (folder / "gesture.onnx").write_bytes(forged(raw, body=changed))
    with pytest.raises(onnx_runtime.OnnxError, match=r"gesture\.onnx: holds another network than when this was pick"):
        pickle.loads(pickled)
    (folder / "gesture.onnx").unlink()
    with pytest.raises(onnx_runtime.OnnxError, match=r"gesture\.onnx: cannot be read"):
        pickle.loads(pickled)
