"""Every bundled file of weights does what its record says, and its card and the README say the same."""

import pytest

from handpose import data, evaluation, pretrained
from tools import publish

FILES = sorted(pretrained.bundled().parent.glob("*.safetensors"))


def test_every_file_has_a_record_and_they_are_small():
    assert {f.stem for f in FILES} == set(publish.published()) and pretrained.DEFAULT in publish.published()
    assert len(FILES) <= 3 and sum(f.stat().st_size for f in FILES) < 25e6


@pytest.mark.parametrize("name", [f.stem for f in FILES])
def test_the_record_holds_on_the_embedded_test_set(name):
    net, size = pretrained.load(pretrained.bundled(name))
    record = publish.published()[name]["elsewhere"]["synthetic/test"]
    found = evaluation.score(net, evaluation.cut(data.open("synthetic", "test"), size), intervals=False)
    assert found["images"] == record["images"]
    for kind in ("pck_bone", "pck_box"):
        for t, value in record["metrics"][kind].items():
            assert abs(found["metrics"][kind][t] - value) < 0.005


def test_the_record_holds_on_photographs(real_data, monkeypatch):
    monkeypatch.setenv("HANDPOSE_DATA", str(real_data))
    net, size = pretrained.load()
    record = publish.published()[pretrained.DEFAULT]
    found = evaluation.score(net, evaluation.cut(data.open("hand-keypoints", "val"), size), intervals=False)
    for t, value in record["metrics"]["pck_bone"].items():
        assert abs(found["metrics"]["pck_bone"][t] - value) < 0.002


def test_card_and_readme_are_made_from_the_record():
    for name, record in publish.published().items():
        assert (publish.ROOT / "handpose" / "weights" / f"{name}.md").read_text() == publish.card(name, record)
    readme = (publish.ROOT / "README.md").read_text()
    assert publish.fill(readme, publish.readme_numbers(publish.published()[pretrained.DEFAULT])) == readme
