"""The networks in the page against those in Python, same weights and pictures; and what is refused."""

import base64
import functools
import http.server
import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from handpose import attention, crop
from handpose.data import SyntheticHands
from handpose.pipeline import HandPose
from handpose.posenet import predict_crops
from handpose.study import analysis
from tests import browser
from tests.live.conftest import floats, sent_image

HANDS = 20
FAINT = 0.4  # score of a joint


@pytest.fixture(scope="module")
def hp():
    return HandPose.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def samples():
    hands = SyntheticHands(seed=0, split="test", size=256)
    return [hands[i] for i in range(HANDS)]


def check_hands(found: list[dict], wanted: list, scores: float = 5e-3, most: float = 0.5) -> None:
    """The same hands: key-points within half a pixel, boxes within one, scores of joints within ``scores``.

    One joint of a hand may lie elsewhere if its map is faint: two cells are then nearly equal, and either may win. The
    scores of faint joints, and so the hand's, may differ by a hundredth. One that is not faint may be off by ``most``.
    """
    faint_scores = max(scores, 1e-2)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        apart, sure = np.abs(np.array(one["keypoints"]) - other.keypoints).max(1), other.scores >= FAINT
        assert apart[sure].max(initial=0) < most and (apart >= 0.5).sum() <= 1
        assert np.abs(np.array(one["box"]) - other.box).max() < 1
        assert (np.abs(np.array(one["scores"]) - other.scores) < np.where(sure, scores, faint_scores)).all()
        assert abs(one["score"] - other.score) < faint_scores
        assert (one["gesture"] is None) == (other.gesture is None)
        if other.gesture is not None and other.gesture[1] > 0.6:
            assert one["gesture"][0] == other.gesture[0] and abs(one["gesture"][1] - other.gesture[1]) < 0.02


def test_hands_of_rendered_pictures(page, hp, samples):
    counts = []
    for sample in samples:
        found = page.tab.evaluate("(image) => handposeLive.predict(picture(image))", sent_image(sample.image))
        wanted = hp(sample.image)
        check_hands(found["hands"], wanted)
        counts.append(len(wanted))
        assert (found["width"], found["height"]) == (256, 256)
    assert sum(counts) >= HANDS // 2
    assert page.errors == []


def test_given_boxes_and_angles(page, hp, samples):
    image, box = samples[0].image, samples[0].box.tolist()
    for options in ({"boxes": [box]}, {"boxes": [box, [20, 30, 200, 190]], "angles": [0.5, -0.3]}):
        found = page.tab.evaluate(
            "([image, how]) => handposeLive.predict(picture(image), how)", [sent_image(image), options]
        )
        check_hands(found["hands"], hp(image, **options))


def test_attention_score_maps_and_silenced_heads(page, hp, samples):
    for sample in samples[:5]:
        box, image = sample.box, sent_image(sample.image)
        cut = crop.crop_box(sample.image, box, hp.size)
        pixels = torch.from_numpy(cut.image).permute(2, 0, 1)[None].float() / 255
        with attention.record(hp.net) as weights, torch.inference_mode():
            maps = [m.sigmoid()[0].numpy() for m in hp.net(pixels)]
        with analysis.knock_out(hp.net, [1, 6]):
            keypoints, _ = predict_crops(hp.net, cut.image[None])
        found = page.tab.evaluate(
            """async ([image, box]) => { const opened = await handposeLive.open(picture(image)), live = handposeLive;
            const all = await live.attention(opened, box), one = await live.attention(opened, box, {row: 100, head: 3});
            const { stages } = await live.scoremaps(opened, box), { after } = await live.silence(opened, box, [1, 6]);
            const hand = (await live.predict(opened, { boxes: [box], refine: false, silence: [1, 6] })).hands[0];
            opened.close();
            return { all: text(all.weights), shape: all.shape, one: text(one.weights), oneShape: one.shape,
                maps: stages.map((stage) => text(stage.maps)), after: after.keypoints, hand: hand.keypoints,
                usual: text(all.usual) }; }""",
            [image, box.tolist()],
        )
        wanted = weights[0][0].numpy()
        assert found["shape"] == [8, 256, 256] and found["oneShape"] == [1, 1, 256]
        assert np.abs(floats(found["all"]).reshape(wanted.shape) - wanted).max() < 1e-4
        assert np.abs(floats(found["one"]) - wanted[3, 100]).max() < 1e-4
        for one, other in zip(found["maps"], maps, strict=True):
            assert np.abs(floats(one).reshape(other.shape) - other).max() < 2e-3
        silenced = cut.to_image(keypoints[-1][0])
        assert np.abs(np.array(found["after"]) - silenced).max() < 0.5
        assert np.allclose(found["hand"], found["after"])
        assert np.allclose(floats(found["usual"]).reshape(8, 256, 256).sum(-1), 1, atol=2e-3)


def test_detector_boxes_that_fired_and_crops(page, hp, samples):
    sample = samples[0]
    found = page.tab.evaluate(
        """async (image) => { const found = await handposeLive.detect(picture(image), { threshold: 0.3 });
        const crop = await handposeLive.crop(picture(image), found.found[0].box, { angle: 0.4, size: 96 });
        return { ...found, matrix: crop.matrix, inverse: crop.inverse, size: [crop.image.width, crop.size] }; }""",
        sent_image(sample.image),
    )
    from handpose.detector import detect

    ((boxes, scores),) = detect(hp.detector, [sample.image], threshold=0.3)
    assert np.allclose([one["box"] for one in found["found"]], boxes, atol=0.5)
    assert np.allclose([one["score"] for one in found["found"]], scores, atol=1e-3)
    assert len(found["fired"]) >= len(boxes) and found["fired"][0]["score"] == found["found"][0]["score"]
    wanted = crop.crop_box(sample.image, np.array(found["found"][0]["box"], np.float32), 96, angle=0.4).matrix
    assert found["size"] == [96, 96] and np.allclose(found["matrix"], wanted)
    assert np.allclose(found["inverse"], crop.invert(wanted))


def test_other_networks_are_refused_by_name_and_the_bundled_one_can_be_swapped_for_itself(page, samples):
    image, box = sent_image(samples[0].image), samples[0].box.tolist()
    swapped, refused = page.tab.evaluate(
        """async ([image, box]) => { const all = await handposeLive.swap(picture(image), box);
            return [all.map((one) => one.network),
                await refusal(handposeLive.swap(picture(image), box, ["no such"]))]; }""",
        [image, box],
    )
    assert "laptop" in swapped and refused.startswith("there is no network no such; there are laptop")


def jpeg(image: np.ndarray, **options) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92, **options)
    return base64.b64encode(file.getvalue()).decode()


def predicted_file(page, data: str) -> dict:
    return page.tab.evaluate("(data) => handposeLive.predict(new Blob([bytes(data)]), { tiles: false })", data)


def test_a_file_turned_by_exif(page, hp, samples, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(np.ascontiguousarray(np.rot90(samples[0].image[:, :240])), exif=exif)
    path = tmp_path / "turned.jpg"
    path.write_bytes(base64.b64decode(data))
    found = predicted_file(page, data)
    assert (found["width"], found["height"]) == (240, 256)
    wanted = hp(path, tiles=False)
    assert wanted
    check_hands(found["hands"], wanted)


def test_a_huge_picture_is_shrunk_and_its_coordinates_are_its_own(page, hp, samples):
    image = np.full((5200, 5200, 3), 120, np.uint8)
    image[1000:2024, 3000:4024] = samples[0].image.repeat(4, 0).repeat(4, 1)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    box = ((samples[0].box + 0.5) * 4 - 0.5 + np.array([3000, 1000, 3000, 1000])).tolist()
    found = page.tab.evaluate(
        """async ([data, box]) => { const opened = await handposeLive.open(new Blob([bytes(data)]));
        const { hands, width } = await handposeLive.predict(opened, { boxes: [box] });
        const crop = await handposeLive.crop(opened, box);
        opened.close(); return { hands, width, scale: opened.scale, matrix: crop.matrix }; }""",
        [base64.b64encode(file.getvalue()).decode(), box],
    )
    assert (found["width"], found["scale"]) == (5200, 2)
    wanted = hp(image, boxes=[box])[0]
    (hand,) = found["hands"]
    apart = np.abs(np.array(hand["keypoints"]) - wanted.keypoints).max(1) / (box[2] - box[0])
    assert apart[wanted.scores >= FAINT].max() < 0.02 and (apart >= 0.02).sum() <= 1  # as in `check_hands`:
    assert np.abs(np.array(hand["scores"]) - wanted.scores)[apart >= 0.02].max(initial=0) < 1e-2  # a peak as high
    assert np.allclose(hand["box"], box, atol=0.01)
    assert np.allclose(found["matrix"], crop.crop_box(image, np.array(box, np.float32), 128).matrix, atol=1e-3)


REFUSED = {
    "no image": ("predict(null)", "null is not an image; give an image, a canvas, a video"),
    "an empty canvas": ("predict(Object.assign(document.createElement('canvas'), {width: 0}))", "the image is empty"),
    "a tiny canvas": ("predict(Object.assign(document.createElement('canvas'), {width: 5}))", "the picture has 5x150"),
    "a text file": ("predict(new File(['words'], 'a.txt'))", "a.txt is not a picture that this browser can read"),
    "a video without a frame": ("predict(document.createElement('video'))", "the video has no picture yet"),
    "a box with NaN": ("predict(new ImageData(50, 50), {boxes: [[1, 2, NaN, 4]]})", "box 1,2,NaN,4 is not four finite"),
    "a box outside": ("crop(new ImageData(50, 50), [60, 2, 70, 9])", "box 60,2,70,9 lies outside the picture"),
    "no box": ("scoremaps(new ImageData(50, 50))", "box  is not four finite numbers"),
    "one box, not a list": ("predict(new ImageData(50, 50), {boxes: [1, 2, 30, 40]})", "boxes is a list of boxes"),
    "a threshold": ("predict(new ImageData(50, 50), {threshold: 2})", "threshold 2: a confidence lies between 0 and 1"),
    "a head": ("attention(new ImageData(50, 50), [1, 1, 40, 40], {head: 8})", "there is no head 8; they are 0 to 7"),
    "a row": ("attention(new ImageData(50, 50), [1, 1, 40, 40], {row: -1})", "there is no row -1; they are 0 to 255"),
    "silence": ("silence(new ImageData(50, 50), [1, 1, 40, 40], [9])", "there is no head 9; the heads are 0 to 7"),
    "angles alone": ("predict(new ImageData(50, 50), {angles: [1]})", "angles belong to boxes"),
    "few key-points": ("gesture([[1, 2]])", "keypoints must be 21 points"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_clear_line(page, what):
    call, wanted = REFUSED[what]
    message = page.evaluate(f"refusal(handposeLive.{call})")
    assert message.startswith(wanted) and "\n" not in message
    assert page.errors == []


def test_an_image_whose_pixels_the_browser_does_not_show(page, folder, samples):
    Image.fromarray(samples[0].image).save(folder / "hand.png")
    message = page.tab.evaluate(
        """async () => { const image = Object.assign(new Image(), { src: "hand.png" }); await image.decode();
        return refusal(handposeLive.predict(image)); }"""
    )
    assert message.startswith("the image comes from another place, so the browser does not show its pixels")


def test_nothing_is_loaded_before_the_start_and_nothing_leaves(chromium, folder):
    page = chromium.open(folder / "index.html")
    assert [request.rpartition("/")[2] for request in page.requests] == ["index.html", "live.js"]
    assert (folder / "_static" / "live" / "live.js").stat().st_size < 40_000
    assert page.evaluate("[handposeLive.state, handposeLive.ready, handposeLive.about]") == ["idle", False, None]
    steps = page.evaluate(
        """(async () => { const steps = [], progress = (...step) => steps.push(step);
        const about = await handposeLive.start({ progress });
        handposeLive.stop(); const stopped = handposeLive.state;
        const again = handposeLive.start(), refused = refusal(again); handposeLive.stop();
        return { steps, about, stopped, refused: await refused, again: (await handposeLive.start()).size }; })()"""
    )
    assert steps["steps"][-1][1] == steps["steps"][-1][2] and len(steps["steps"]) == 6
    assert (steps["stopped"], steps["again"]) == ("idle", 128) and "stopped" in steps["refused"]
    assert steps["about"]["pose"]["heads"] == 8 and len(steps["about"]["labels"]) > 20
    assert all(request.startswith(("file:", "blob:")) for request in page.requests)
    assert page.errors == []


def test_without_simd_one_clear_line(chromium, folder):
    page = chromium.open(folder / "index.html")
    message = page.evaluate("(WebAssembly.validate = () => false, refusal(handposeLive.start()))")
    assert message.startswith("this browser, or a setting of it, lacks SIMD in WebAssembly")
    assert page.evaluate("handposeLive.obstacle()") == message and page.evaluate("handposeLive.state") == "failed"


def test_a_missing_part_is_named_and_a_later_start_tries_again(chromium, folder):
    page = chromium.open(folder / "index.html")
    part = folder / "_static" / "live" / "detector.js"
    aside = part.rename(part.with_suffix(".aside"))
    try:
        message = page.evaluate("refusal(handposeLive.start())")
    finally:
        aside.rename(part)
    assert message == "detector.js in _static/live cannot be loaded; copy the whole folder of the book, or try again"
    assert page.evaluate("handposeLive.start().then((about) => about.size)") == 128


def test_from_a_server(chromium, folder, samples):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = chromium.open(f"http://127.0.0.1:{server.server_port}/index.html", offline=False)
        hands = page.tab.evaluate(
            "(image) => handposeLive.predict(picture(image)).then(({ hands }) => hands.length)",
            sent_image(samples[0].image),
        )
        parts = {name.rpartition("/")[2] for name in page.requests if "/_static/live/" in name}
    finally:
        server.shutdown()
        server.server_close()
    assert hands == 1 and page.errors == []
    assert {"live.js", "worker.js", "bundle.js", "wasm.js", "gesture.js", "detector.js", "laptop.js"} == parts


def test_photographs(chromium, folder, hp, real_data):
    """Fifty of them, as files that the browser decodes."""
    paths = sorted((real_data / "wild").rglob("*.jpg"))
    if len(paths) < 50:
        pytest.skip("the folder of real photographs has no wild/*.jpg")
    chosen, found_some = paths[:: len(paths) // 50][:50], 0
    page = chromium.open(folder / "index.html")
    for path in chosen:
        data = base64.b64encode(path.read_bytes()).decode()
        try:
            found = predicted_file(page, data)
        except browser.PlaywrightError:
            if chromium.alive:
                raise
            page = chromium.open(folder / "index.html")  # Chromium itself died, which may happen once
            found = predicted_file(page, data)
        wanted = hp(path, tiles=False)
        check_hands(found["hands"], wanted, scores=0.02, most=1)  # decoders of JPEG differ by a grey value or two
        found_some += bool(wanted)
    assert found_some > 10
