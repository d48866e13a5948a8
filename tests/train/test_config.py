import dataclasses

import pytest

from handpose.train import config
from handpose.train.schedule import Schedule, learning_rate


def test_bundled_configurations():
    assert set(config.available()) >= {"paper", "best", "laptop", "quick"}
    paper = config.load("paper")
    assert (paper.schedule.steps, paper.schedule.batch, paper.crop.size, paper.loss.alpha) == (30_000, 24, 256, 0.7)
    assert paper.augment == config.Augment() and paper.crop.noise == 8 / 256 and paper.loss.spread == 30 / 256
    for name in config.available():
        assert config.load(name).name == name
    assert config.load("best").network == paper.network
    laptop, quick = config.load("laptop"), config.load("quick")
    narrower = dataclasses.replace(laptop.network, width=0.25)
    assert (narrower, laptop.crop, laptop.augment) == (quick.network, quick.crop, quick.augment)
    assert config.load("tune").network == laptop.network and config.load("tune").crop == config.load("long").crop


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[network]\nwidht = 1", ["network.widht", "allowed", "width"]),
        ("[network]\nwidth = 'wide'", ["network.width", "wide", "a number"]),
        ("[schedule]\nsteps = 1.5", ["schedule.steps", "a whole number"]),
        ("[schedule]\nsteps = true", ["schedule.steps", "a whole number"]),
        ("[network]\nattention = [10, 'x']", ["network.attention", "a list of whole numbers"]),
        ("[network]\nposition = 'cosine'", ["network.position", "sine, learned, none"]),
        ("network = 3", ["network", "a table"]),
        ("[balance]\nmassey = -1", ["balance", "positive numbers"]),
        ("[crop]\nsize = 100", ["crop.size", "multiple of 8"]),
        ("[loss]\nalpha = 2", ["loss.alpha"]),
        ("[schedule]\nbatch = 0", ["schedule.batch"]),
        ("checkpoint_every = 0", ["checkpoint_every"]),
        ("[network\n", ["line 1"]),
        ("[network]\nheads = 7", ["[network]", "7 heads"]),
        ("[network]\nattention = [99]", ["[network]", "row 99"]),
        ("[network]\nwidth = -1", ["network.width", "between"]),
        ("[network]\nwidth = inf", ["network.width", "between"]),
        ("[loss]\nspread = 30", ["loss.spread is 30", "between 0.001 and 1"]),
        ("[crop]\nnoise = 8", ["crop.noise", "between 0 and 0.5"]),
        ("[augment]\nflip = nan", ["augment.flip", "between 0 and 1"]),
        ("[schedule]\npeak = nan", ["schedule.peak"]),
        ("[schedule]\ndecay = 40000", ["schedule.decay", "30000"]),
        ("name = '../../x'", ["no path"]),
        ("[network]\nstages = 0", ["[network]", "stages"]),
    ],
)
def test_errors_name_file_key_and_what_is_allowed(tmp_path, text, words):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as error:
        config.load(file)
    assert all(word in str(error.value) for word in ["mine.toml", *words]), str(error.value)


def test_unknown_name():
    with pytest.raises(config.ConfigError, match="laptop"):
        config.load("labtop")


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 1.5e-7), (999, 1.5e-4), (1_999, 3e-4), (2_000, 3e-4), (11_999, 3e-4), (12_000, 3e-5), (19_999, 3e-5),
     (20_000, 3e-6), (29_999, 3e-6)],
)  # fmt: skip
def test_every_corner_of_the_papers_schedule(step, rate):
    assert learning_rate(Schedule(), step) == pytest.approx(rate, rel=1e-6)


def test_shorter_paper_schedule_keeps_its_shape():
    short = Schedule(steps=300)
    assert learning_rate(short, 119) == 3e-4 and learning_rate(short, 120) == 3e-5
    assert learning_rate(short, 200) == 3e-6


def test_one_cycle():
    cycle = Schedule(kind="one-cycle", steps=1000, peak=2e-3)
    rates = [learning_rate(cycle, s) for s in range(1000)]
    assert max(rates) == rates[99] == rates[100] == 2e-3
    assert rates[:100] == sorted(rates[:100]) and rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] == 2e-6
