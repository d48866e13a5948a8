"""The networks in Firefox and in WebKit, Safari's engine, where they are installed: a page from a folder."""

import numpy as np
import pytest

from handpose.data import SyntheticHands
from handpose.pipeline import HandPose
from tests import engines
from tests.live.conftest import sent_image
from tests.live.test_networks import check_hands


@pytest.fixture(scope="module", params=[engines.Firefox, engines.WebKit], ids=["firefox", "webkit"])
def engine(request, tmp_path_factory):
    if reason := request.param.missing():
        pytest.skip(reason)
    with request.param(tmp_path_factory.mktemp("engine")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(engine, folder):
    engine.go(folder / "index.html")
    assert engine.evaluate("handposeLive.start().then(({ size }) => size)") == 128
    return engine


def test_hands_of_rendered_pictures(page):
    hp, hands = HandPose.from_pretrained(device="cpu"), SyntheticHands(seed=0, split="test", size=256)
    for i in (0, 2, 5):
        image = hands[i].image
        wanted = hp(image)
        assert wanted
        # As a file, which the browser decodes, and as pixels.
        found = page.evaluate(
            """(async () => { const canvas = new OffscreenCanvas(256, 256), pixels = picture(given);
            canvas.getContext("2d").putImageData(pixels, 0, 0);
            const file = await canvas.convertToBlob();
            return { pixels: await handposeLive.predict(pixels), file: await handposeLive.predict(file) }; })()""",
            sent_image(image),
        )
        for one in found.values():
            check_hands(one["hands"], wanted)


def test_attention_and_a_network_that_is_stopped_and_started(page):
    found = page.evaluate(
        """(async () => { const image = new ImageData(64, 64), box = [8, 8, 50, 50];
        const { weights, shape } = await handposeLive.attention(image, box);
        handposeLive.stop(); await handposeLive.start();
        return { shape, sums: [...Array(5).keys()].map((i) =>
            weights.subarray(256 * i, 256 * (i + 1)).reduce((a, b) => a + b)) }; })()"""
    )
    assert found["shape"] == [8, 256, 256] and np.allclose(found["sums"], 1, atol=1e-4)
