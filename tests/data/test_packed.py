"""Packed sets: the same hands, groups and labels as from the folder, in one small file."""

import sys

import numpy as np
import pytest

from handpose import crop, data
from handpose.data import DataError, crops, packed
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "data_scripts"))
import pack  # noqa: E402


@pytest.fixture(scope="module")
def hands():
    return {s: data.SyntheticHands(split=s, length=4) for s in ("train", "val")}


@pytest.fixture(scope="module")
def file(hands, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "hands.npz"
    assert packed.write(path, {"massey": hands}, quality=95) == 8
    return path


def test_what_is_cut_out_for_the_network_is_the_same(hands, file):
    for split in ("train", "val"):
        again = data.open(f"massey:{file}", split)
        assert len(again) == 4
        for i in range(4):
            one, two = hands[split][i], again[i]
            assert two.image.size <= one.image.size
            assert (two.visible == one.visible).all() and (two.group, two.id) == (one.group, one.id)
            shift = one.keypoints - two.keypoints
            assert np.allclose(shift, shift[0], atol=1e-4) and (shift[0] == shift[0].round()).all()
            cuts = [crop.crop_box(s.image, s.box, 128) for s in (one, two)]
            assert np.abs(cuts[0].image.astype(int) - cuts[1].image).mean() < 4
            loaded = [
                crop.warp(s.mask[..., None], c.matrix, 128, outside=0) for s, c in zip((one, two), cuts, strict=True)
            ]
            assert np.abs(loaded[0].astype(int) - loaded[1]).mean() < 4


def test_training_cuts_nothing_from_beyond(hands, file):
    direct, again = (
        crops.load_crops("massey", s, 64, progress=False) for s in (hands["val"], packed.Packed(file, "massey", "val"))
    )
    assert again.masked and again.ids == direct.ids
    assert np.allclose(again.keypoints, direct.keypoints, atol=1e-3)
    assert (again.images.float() - direct.images).abs().mean() < 4


def test_several_sets_in_one_file_and_large_pictures_shrunk(hands, file, tmp_path):
    both = tmp_path / "both.npz"
    assert packed.write(both, {"massey": {"train": hands["train"]}, "wild": hands}, side=100) == 12
    assert both.stat().st_size < file.stat().st_size
    for name, split in (("massey", "train"), ("wild", "train"), ("wild", "val")):
        small = data.open(f"{name}:{both}", split)
        assert len(small) == 4 and small.split == split
        for i in range(4):
            one, two = hands[split][i], small[i]
            assert max(two.image.shape) <= 100 and two.mask.shape == two.image.shape[:2] and two.id == one.id
            cuts = [crop.crop_box(s.image, s.box, 64) for s in (one, two)]
            keypoints = [crop.apply(c.matrix, s.keypoints) for c, s in zip(cuts, (one, two), strict=True)]
            assert np.abs(keypoints[0] - keypoints[1]).max() < 0.5
            assert np.abs(cuts[0].image.astype(int) - cuts[1].image).mean() < 12
    with pytest.raises(DataError, match="no split 'val' of massey; packed are train"):
        data.open(f"massey:{both}", "val")


def test_a_pack_of_old_that_names_its_set_once(hands, file, tmp_path):
    old = tmp_path / "old.npz"
    with np.load(file) as stored:
        np.savez(old, **{k: stored[k] for k in stored.files} | {"name": "massey"})
    assert data.open(f"massey:{old}", "val")[2].id == hands["val"][2].id


def test_several_processes_cut_the_same(hands, file, monkeypatch):
    samples = packed.Packed(file, "massey", "val")
    one = crops.load_crops("massey", samples, 64, progress=False)
    monkeypatch.setattr(crops, "SEVERAL", 1)
    monkeypatch.setattr(crops.drawing, "cores", lambda: 2)
    assert crops.load_crops("massey", samples, 64, progress=False).fingerprint() == one.fingerprint()


@pytest.mark.parametrize("kind", ["missing", "truncated", "text", "another set", "no split", "offsets"])
def test_what_is_no_pack(file, tmp_path, kind):
    bad, name, split = tmp_path / "bad.npz", "massey", "val"
    expected = "bad.npz"
    if kind == "truncated":
        bad.write_bytes(file.read_bytes()[:-1000])
    elif kind == "text":
        bad.write_text("hands")
    elif kind == "another set":
        bad.write_bytes(file.read_bytes())
        name, expected = "hand-keypoints", "holds massey, not hand-keypoints"
    elif kind == "no split":
        bad.write_bytes(file.read_bytes())
        split, expected = "test", "packed are train, val"
    elif kind == "offsets":
        with np.load(file) as stored:
            np.savez(bad, **{k: stored[k][:-5] if k == "blob" else stored[k] for k in stored.files})
        expected = "offsets do not fit"
    with pytest.raises(DataError) as error:
        data.open(f"{name}:{bad}", split)
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_the_script(small_set, tmp_path, monkeypatch, capsys):
    def run(*more):
        arguments = ["pack.py", f"hand-keypoints:{small_set}", *map(str, more)]
        monkeypatch.setattr(sys, "argv", arguments)
        returned, (printed, errors) = pack.main(), capsys.readouterr()
        return returned, printed, errors

    out, twice, both = (tmp_path / f"{name}.npz" for name in ("small", "twice", "both"))
    returned, printed, _ = run("--out", out, "--splits", "all")
    assert returned == 0 and "hands," in printed
    returned, *_ = run(f"hand-keypoints:{small_set}@val", "--out", twice, "--splits", "train", "--side", "64")
    assert returned == 0 and {len(data.open(f"hand-keypoints:{twice}", s)) for s in ("train", "val")} == {24, 8}
    samples = data.open(f"hand-keypoints:{out}", "all")
    assert samples.parts == data.open(f"hand-keypoints:{small_set}", "all").parts
    for wrong, words in ((("--out", out, "--joint-order", "rhd"), "--joint-order cannot be given, only for coco"),
                         (("--out", out, "--unturned"), "--unturned cannot be given"),
                         ((f"hand-keypoints:{small_set}", "--out", both), "hand-keypoints train was named before"),
                         (("--out", "x.zip"), "ends in .npz"), (("--out", "/dev/null/x.npz"), "cannot be written"),
                         (("--out", out, "--splits", "half"), "no split 'half'"),
                         (("--out", out, "--quality", "0"), "between 1 and 100"),
                         (("--out", out, "--side", "9"), "at least 32 pixels")):  # fmt: skip
        returned, _, errors = run(*wrong)
        assert returned == 1 and words in errors
    assert not both.exists()  # one of the two would be lost
