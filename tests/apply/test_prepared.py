"""What `HandPose.from_pretrained` runs on a processor: the export in the cache, PyTorch until it is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from handpose import HandPose, PoseEstimationNet
from handpose.__main__ import main
from handpose.apply import export, onnx_runtime, prepared
from handpose.data import SyntheticHands

pytest.importorskip("onnxscript", reason='the extra "onnx" is not installed')


@pytest.fixture(scope="module")
def made(tmp_path_factory, exported):
    """A cache with the export of the bundled networks, kept as `prepared` keeps it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDPOSE_CACHE", str(tmp_path_factory.mktemp("prepared")))
        patch.setattr(export, "export", lambda folder, pose: shutil.copytree(exported[0], folder, dirs_exist_ok=True))
        return prepared.make()


@pytest.fixture
def cache(made, monkeypatch):
    """That cache, and nobody asks for a backend."""
    monkeypatch.setenv("HANDPOSE_CACHE", str(made.parent))
    monkeypatch.delenv("HANDPOSE_BACKEND")
    return made


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache; processes that would be started, by their commands."""
    monkeypatch.setenv("HANDPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HANDPOSE_BACKEND")
    started = []
    monkeypatch.setattr(prepared.subprocess, "Popen", lambda command, **_: started.append(command))
    return started


@pytest.fixture(scope="module")
def image():
    return SyntheticHands(split="test")[3].image


def runs(hp: HandPose) -> str:
    return "onnx" if isinstance(hp.networks["pose"], onnx_runtime.Network) else "torch"


def test_the_default_is_onnx_runtime_with_the_key_points_of_pytorch(cache, image):
    fast, slow = HandPose.from_pretrained(refine=False), HandPose.from_pretrained(backend="torch", refine=False)
    assert runs(fast) == "onnx" and runs(slow) == "torch"
    for shown in (image, np.concatenate([image, image[:, ::-1]], 1)):
        found, again = fast(shown), slow(shown)
        assert len(found) == len(again) > 0
        for a, b in zip(found, again, strict=True):
            assert np.abs(a.keypoints - b.keypoints).max() < 0.05 and np.abs(a.scores - b.scores).max() < 1e-3
            assert np.abs(a.box - b.box).max() < 0.05 and a.gesture[0] == b.gesture[0]


def test_whoever_looks_into_the_network_gets_pytorchs_and_it_runs_from_then_on(cache, image):
    hp, passes = HandPose.from_pretrained(), []
    assert isinstance(hp.net, PoseEstimationNet) and runs(hp) == "torch"
    hp.net.register_forward_hook(lambda *_: passes.append(1))
    assert hp(image) and passes
    hp.gesture_net = None
    assert hp(image)[0].gesture is None


def test_a_picture_is_done_without_pytorch(cache, image, tmp_path):
    cv2.imwrite(str(tmp_path / "hand.png"), image[..., ::-1])
    code = ("import sys; from handpose.__main__ import main; status = main(['predict', sys.argv[1]]);"
            "sys.exit(status or 'torch' in sys.modules or 'matplotlib' in sys.modules)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "hand.png")], capture_output=True, text=True)
    assert done.returncode == 0 and "hand 1 of 1" in done.stdout and done.stderr == ""


def test_without_an_export_pytorch_runs_and_one_is_begun_once(empty, image, capfd):
    assert runs(HandPose.from_pretrained()) == "torch" and len(empty) == 1
    assert capfd.readouterr().err.count("\n") == 1
    assert runs(HandPose.from_pretrained()) == "torch" and len(empty) == 1
    assert capfd.readouterr().err == ""
    os.utime(prepared.folder(), (0, 0))  # as if it had been broken off
    HandPose.from_pretrained()
    assert len(empty) == 2
    for options in (dict(backend="torch"), dict(weights=prepared.pretrained.bundled())):
        assert runs(HandPose.from_pretrained(**options)) == "torch" and len(empty) == 2


def test_a_damaged_export_is_a_note(empty, made, capfd):
    folder = prepared.folder()
    folder.mkdir(parents=True)
    for name in onnx_runtime.FILES.values():
        (folder / name).write_bytes((made / name).read_bytes())
    (folder / "pose.onnx").write_bytes((made / "pose.onnx").read_bytes()[:-5000])
    os.utime(folder, (0, 0))
    assert runs(HandPose.from_pretrained()) == "torch" and len(empty) == 1
    assert "pose.onnx" in capfd.readouterr().err
    (folder / "pose.onnx").write_bytes((made / "pose.onnx").read_bytes())
    assert runs(HandPose.from_pretrained()) == "onnx"


def test_a_cache_that_takes_nothing_is_a_note(empty, tmp_path, capfd):
    (tmp_path / "cache").write_text("a file")
    assert runs(HandPose.from_pretrained()) == "torch" and empty == []
    assert capfd.readouterr().err.startswith("note: the networks cannot be prepared")


def test_a_failed_export_is_written_down_and_not_tried_again(empty, monkeypatch):
    monkeypatch.setattr(export, "export", lambda *_: 1 / 0)
    monkeypatch.setattr(prepared.os, "nice", lambda _: None)
    prepared.main()
    os.utime(prepared.folder(), (0, 0))
    assert runs(HandPose.from_pretrained()) == "torch" and empty == []
    assert "division by zero" in prepared.describe()[0]


def test_the_key_follows_weights_and_versions(cache, tmp_path, monkeypatch):
    other = tmp_path / "other.safetensors"
    other.write_bytes(prepared.pretrained.bundled().read_bytes() + b" ")
    assert prepared.folder(other) != prepared.folder() == cache
    monkeypatch.setattr(prepared.importlib.metadata, "version", lambda name: "1.2.3")
    assert prepared.folder() != cache


def test_backends_that_cannot_be_had_are_one_line(cache, monkeypatch, capsys):
    for options, words in ((dict(backend="jax"), "there are onnx and torch"),
                           (dict(backend="onnx", device="cuda"), "runs on the processor"),
                           (dict(backend="onnx", weights="nowhere"), "no such weights file")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            HandPose.from_pretrained(**options)
    assert main(["predict", "x.jpg", "--backend", "onnx", "--device", "cuda"]) == 1
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(prepared.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "onnxruntime")
    assert runs(HandPose.from_pretrained()) == "torch"


def test_doctor_says_what_runs(cache, capsys):
    main(["doctor"])
    assert f"({cache})" in capsys.readouterr().out and Path(cache).is_dir()
