"""Every bundled file of weights does what its record says, and its card and the README say the same."""

import numpy as np
import pytest

from handpose import HandDecNet, data, gesturenet, pretrained
from handpose.data.synthetic import GERMAN_ALPHABET
from handpose.data.synthetic.letters import RenderedAlphabet
from handpose.gesturenet import GestureNet
from handpose.study import fingerspelling
from handpose.train import evaluate
from tools import marked, publish

FILES = sorted(pretrained.bundled().parent.glob("*.safetensors"))
POSES = publish.published("msahp")


def test_every_file_has_a_record_and_they_are_small():
    assert {f.stem for f in FILES} == set(publish.published()) == {*POSES, pretrained.DETECTOR, pretrained.GESTURES}
    assert pretrained.DEFAULT in POSES and len(POSES) <= 3
    assert sum(f.stat().st_size for f in FILES) < 25e6 and pretrained.bundled(pretrained.DETECTOR).stat().st_size < 8e6


@pytest.mark.parametrize("name", POSES)
def test_the_record_holds_on_the_embedded_test_set(name):
    """On the first hundred of its hands."""
    found, record = publish.on_few_rendered(*pretrained.load(pretrained.bundled(name))), POSES[name]["few"]
    assert found.keys() == record.keys() == {"pck_bone", "pck_box"}
    for kind, values in record.items():
        assert found[kind] == pytest.approx(values, abs=0.005)


def test_the_detector_s_record_holds_on_composed_scenes():
    """On a hundred scenes of sixty hands."""
    net, _ = pretrained.load(kind=HandDecNet)
    record = publish.published("handdecnet")[pretrained.DETECTOR]["few"]
    assert publish.on_few_scenes(net) == pytest.approx(record, abs=0.005)


def test_the_record_holds_on_photographs(real_data, monkeypatch):
    monkeypatch.setenv("HANDPOSE_DATA", str(real_data))
    net, size = pretrained.load()
    record = POSES[pretrained.DEFAULT]
    found = evaluate.evaluate(net, evaluate.crop_dataset(data.open("hand-keypoints", "val"), size), intervals=False)
    for t, value in record["metrics"]["pck_bone"].items():
        assert abs(found["metrics"]["pck_bone"][t] - value) < 0.002


def test_the_reader_s_record_holds_on_rendered_letters_it_can_know():
    """Its shapes come from another alphabet; of the letters that both show alike most are read."""
    net, _ = pretrained.load(kind=GestureNet)
    alphabet = RenderedAlphabet(6, "test", size=48)
    alike = [i for i, name in enumerate(GERMAN_ALPHABET) if name in ("B", "C", "I", "L", "R", "U", "V", "W", "Y")]
    signs = fingerspelling.with_labels([alphabet[30 * p + i] for p in range(6) for i in alike])
    found, _ = gesturenet.read(net, signs.keypoints)
    assert (found == fingerspelling.merged(np.char.lower(signs.labels), fingerspelling.ALIKE)).mean() > 0.6


def test_card_and_readme_are_made_from_the_record():
    for name, record in publish.published().items():
        card = (publish.ROOT / "handpose" / "weights" / f"{name}.md").read_text()
        assert card == publish.card_of(name, record)
    readme = (publish.ROOT / "README.md").read_text()
    assert marked.fill(readme, "scores", publish.readme_scores(POSES[pretrained.DEFAULT])) == readme
