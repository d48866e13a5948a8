"""The network in the page, as a reader meets it: started from a folder without a network, by keyboard, on a phone."""

import json
import re
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests import browser
from tools import book

HANDS = Path(__file__).resolve().parents[2] / "book" / "live" / "hands"
CHAPTERS = {
    "03-finding-the-hand": ["Found"],
    "04-score-maps": ["Score maps"],
    "06-attention": ["Attention"],
    "09-does-attention-help": ["Take something away"],
    "10-reading-finger-spelling": ["A letter"],
}
STEPS = ["Choose a hand", "Found", "Cut out and turned upright", "Score maps", "Attention", "Take something away"]
STEPS += ["A letter"]
TITLES = "[...document.querySelectorAll('.hl-step:not([hidden]) .hl-heading')].map(e => e.textContent)"
INDEX = "button[aria-label='Cover the index finger']"


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    """A clip for the browser's fake camera: a rendered hand that turns to and fro."""
    image = np.asarray(Image.open(HANDS / "open.jpg"))
    clip = tmp_path_factory.mktemp("clip") / "hand.mjpeg"
    frames = []
    for angle in (0, 4, 8, 12, 8, 4, 0, -4, -8, -4):
        turn = cv2.getRotationMatrix2D((192, 192), angle, 1)
        turned = cv2.warpAffine(image, turn, (384, 384), borderMode=cv2.BORDER_REPLICATE)
        frames.append(cv2.imencode(".jpg", turned[..., ::-1])[1].tobytes())
    clip.write_bytes(b"".join(frames))
    return clip


@pytest.fixture(scope="module")
def chromium(camera):
    """A browser whose camera shows the clip."""
    if reason := browser.missing():
        pytest.skip(reason)
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with browser.Browser(*fake, f"--use-file-for-fake-video-capture={camera}") as opened:
        yield opened


def begin(page) -> None:
    page.tab.click(".hl-start button")
    page.tab.wait_for_function(browser.SETTLED)


def settled(page) -> None:
    page.tab.wait_for_timeout(100)  # what follows a key press or a click begins in a later task
    page.tab.wait_for_function(browser.SETTLED)


def outside(page) -> list[str]:
    return [address for address in page.requests if not address.startswith(("file:", "data:", "blob:", "about:"))]


@pytest.fixture(scope="module")
def wide(site, chromium):
    """The page, started from its folder with the network off."""
    page = chromium.open(site / "live.html", locale="en-GB")
    begin(page)
    return page


@pytest.fixture
def page(wide):
    """The same page with the first hand chosen and nothing taken away."""
    wide.tab.click(".hl-thumb >> nth=0")
    settled(wide)
    wide.errors.clear()
    return wide


def test_every_step_is_there(page):
    shown = page.evaluate(TITLES)
    assert [title for title in shown if title != "The block swapped"] == STEPS
    assert "Nothing leaves this page" in page.tab.inner_text(".handpose-live")
    assert not outside(page)
    assert not page.errors
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_nothing_serious_for_axe(page):
    page.tab.click(INDEX)
    settled(page)
    assert not page.serious(".handpose-live")


def test_threshold_by_keyboard(page):
    slider = page.tab.locator(".hl-slider input")
    slider.focus()
    before = page.tab.inner_text(".hl-slider output")
    page.press("ArrowRight")
    assert float(page.tab.inner_text(".hl-slider output")) == pytest.approx(float(before) + 0.01)
    page.press("End")
    settled(page)
    assert re.search(r"\d+ box(es)? at or above 0\.99", page.tab.inner_text(".handpose-live"))
    slider.focus()
    while float(page.tab.inner_text(".hl-slider output")) > 0.5:
        page.press("ArrowLeft")
    settled(page)
    assert page.tab.locator(".hl-map").count() == 21


def test_score_maps_by_keyboard(page):
    chosen = ".hl-map[aria-pressed=true]"
    page.tab.focus(chosen)
    before = page.tab.get_attribute(chosen, "aria-label")
    page.press("ArrowUp")
    after = page.tab.get_attribute(chosen, "aria-label")
    assert before == "Score map: tip of the index finger"
    assert after == "Score map: second joint of the index finger"
    words = page.tab.locator(".hl-maps + .hl-says")
    assert words.inner_text().startswith("Second joint of the index finger: peak 0.")
    second = words.inner_text()
    page.tab.check("input[type=radio] >> nth=0")  # stage 1
    assert words.inner_text() != second


def test_asking_cell_by_keyboard(page):
    pad = page.tab.locator("[aria-roledescription='grid of cells']")
    pad.focus()
    column, row = map(int, re.findall(r"\d+", pad.get_attribute("aria-label"))[:2])
    heads = page.tab.inner_text(".hl-heads")
    page.press("ArrowLeft")
    page.press("ArrowDown")
    assert pad.get_attribute("aria-label").startswith(f"The asking cell: column {column - 1}, row {row + 1}.")
    assert page.tab.inner_text(".hl-heads") != heads
    assert f"column {column - 1}, row {row + 1}" in page.tab.inner_text(".hl-asks + .hl-says")
    assert page.tab.locator(".hl-heads figure").count() == 8
    page.tab.select_option(".hl-asks select", "0")
    assert "at the wrist" in page.tab.inner_text(".hl-asks + .hl-says")


def test_heads_minus_their_mean_have_a_legend_of_their_own(page):
    shown = ".hl-legend:not([hidden]) .hl-what"
    assert "share of what the cell reads" in page.tab.locator(shown).all_inner_texts()
    page.tab.get_by_role("radio", name="minus its mean").check()
    assert "less or more than its mean over 64 rendered hands" in page.tab.locator(shown).all_inner_texts()
    assert page.tab.locator(".hl-heads figcaption").first.inner_text().count("+") == 1
    page.tab.get_by_role("radio", name="what it reads").check()


def test_a_finger_covered_by_keyboard(page):
    says = page.tab.locator(".hl-verdict")
    assert says.inner_text().startswith("Nothing is taken away yet.")
    page.tab.focus(INDEX)
    page.press("Enter")
    settled(page)
    assert re.match(
        r"Covered: index finger\. What is covered moved by \d+\.\d px .* the tip of the index finger by \d+\.\d px "
        r".* its confidence went from 0\.\d\d to 0\.\d\d\. Those in sight moved by \d+\.\d px",
        says.inner_text(),
    )
    assert page.tab.locator(".hl-moved tbody td").count() == 20
    assert page.tab.locator(".hl-moved td.hl-under").count() >= 4
    assert page.tab.locator(".hl-removed:not([hidden])").count() == 3  # above score maps, attention and letter
    page.press("Enter")
    settled(page)
    assert says.inner_text().startswith("Nothing is taken away yet.")


def test_a_silenced_head_as_in_the_console(page):
    """The confidences in the table are those that the interface gives for the same crop."""
    page.tab.click("button[aria-label='Silence head 3']")
    settled(page)
    shown = page.tab.locator(".hl-moved tbody tr").nth(3).locator("td").nth(1).locator("span").inner_text()
    data = page.evaluate("handposeLiveHands[0].image")
    silenced = page.tab.evaluate(
        """async (data) => {
            const image = new Image(); image.src = data; await image.decode();
            const { hands: [hand] } = await handposeLive.predict(image);
            const { before, after } = await handposeLive.silence(image, hand.view, [2]);
            return [before.scores[8], after.scores[8]].map(v => v.toFixed(2)).join(" → "); }""",
        data,
    )
    assert shown == silenced


def test_painting_with_the_mouse_and_with_keys(page):
    pad = page.tab.locator(".hl-paint")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.tab.mouse.move(x, y)
    page.tab.mouse.down()
    page.tab.mouse.move(x, y - 60, steps=4)
    page.tab.mouse.up()
    settled(page)
    says = page.tab.locator(".hl-verdict")
    first = says.inner_text()
    assert first.startswith("Covered: ")
    pad.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "Enter"):
        page.press(key)
    settled(page)
    assert says.inner_text() != first
    page.tab.click("text=Give everything back >> visible=true >> nth=-1")
    settled(page)
    assert says.inner_text().startswith("Nothing is taken away yet.")


def test_tab_reaches_every_control(page):
    wanted = page.evaluate("""[...document.querySelectorAll('.handpose-live :is(button, input, select, a, [tabindex])')]
        .filter(e => e.tabIndex >= 0 && !e.disabled && e.getClientRects().length)
        .filter(e => e.type !== 'radio' || e.checked).length""")
    page.tab.focus(".hl-steps a >> nth=0")
    reached = 1
    for _ in range(3 * wanted):
        page.press("Tab")
        if not page.evaluate("!!document.activeElement.closest('.handpose-live')"):
            break
        reached += 1
    assert reached == wanted


def drop(page, name: str, kind: str, body: str) -> None:
    page.evaluate(f"""(() => {{ const data = new DataTransfer();
        data.items.add(new File([{json.dumps(body)}], {json.dumps(name)}, {{ type: {json.dumps(kind)} }}));
        const root = document.querySelector('.handpose-live');
        root.dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true }}));
    }})()""")


def wait_for_error(page, words: str) -> None:
    page.tab.wait_for_selector(f"p.hl-error:has-text({json.dumps(words)})")
    assert page.tab.locator(".hl-map").count() == 21  # the rest goes on


def test_a_text_file_is_one_clear_line(page):
    drop(page, "notes.txt", "text/plain", "no picture")
    wait_for_error(page, "notes.txt is not a picture; choose a JPEG, PNG or WebP file")
    drop(page, "broken.jpg", "image/jpeg", "no picture")
    wait_for_error(page, "broken.jpg cannot be read as a picture")
    settled(page)
    assert not page.errors


@pytest.mark.parametrize(
    ("name", "line"),
    [("NotAllowedError", "The camera was refused"), ("NotFoundError", "There is no camera here")],
)
def test_no_camera_is_one_clear_line(page, name, line):
    page.evaluate(f"""(() => {{ window.kept = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}')); }})()""")
    page.tab.get_by_role("button", name="The camera", exact=True).click()
    wait_for_error(page, line)
    page.evaluate("(() => { navigator.mediaDevices.getUserMedia = window.kept; })()")
    assert not page.errors


def test_a_picture_without_a_hand(page, tmp_path):
    file = tmp_path / "grey.png"
    cv2.imwrite(str(file), np.full((240, 320, 3), 127, np.uint8))
    page.tab.set_input_files("input[type=file]", file)
    page.tab.wait_for_selector("text=No hand was found above the threshold")
    page.tab.click("text=take the whole picture for a hand")
    settled(page)
    assert "Mean confidence of its 21 key-points" in page.tab.inner_text(".handpose-live")
    assert not page.errors


def test_a_huge_photograph_is_shrunk(page, tmp_path):
    file = tmp_path / "huge.jpg"
    cv2.imwrite(str(file), np.full((10_000, 10_000), 127, np.uint8))
    page.tab.set_input_files("input[type=file]", file)
    page.tab.wait_for_selector("text=huge.jpg has 100 megapixels; it was shrunk to 4000 × 4000 pixels.")
    page.tab.wait_for_selector("text=No hand was found above the threshold")
    assert not page.errors


def test_a_photograph_is_turned_as_its_exif_says(page, tmp_path):
    upright = Image.open(HANDS / "open.jpg").crop((40, 0, 344, 384))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    upright.rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    page.tab.set_input_files("input[type=file]", tmp_path / "turned.jpg")
    settled(page)
    shown = "document.querySelector('canvas.hl-picture[aria-label*=boxes]')"
    width, height = page.evaluate(f"(c => [c.width, c.height])({shown})")
    assert width / height == pytest.approx(304 / 384, abs=0.01)
    assert "The hand is nearly upright" in page.tab.inner_text(".handpose-live")


def test_camera_hidden_and_frozen(page):
    page.tab.get_by_role("button", name="The camera", exact=True).click()
    page.tab.wait_for_selector("text=/frames a second. 1 hand in sight/")
    hide = """(hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange')); })"""
    page.evaluate(f"{hide}(true)")
    page.tab.wait_for_selector("text=Paused while this tab is hidden.")
    page.evaluate(f"{hide}(false)")
    page.tab.wait_for_selector("text=/frames a second/")
    page.tab.click("text=Freeze this frame")
    settled(page)
    assert "One frame is frozen" in page.tab.inner_text(".handpose-live")
    assert not page.tab.is_visible(".hl-camera")
    assert not page.errors
    assert not outside(page)


def test_on_a_phone(site, chromium):
    """390 px, touch, dark: all fits, what a finger touches is large enough, and a tap covers the index finger."""
    page = chromium.open(site / "live.html", width=390, height=844, dark=True, has_touch=True, reduced_motion="reduce")
    begin(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate("""[...document.querySelectorAll('.handpose-live :is(button:not(.hl-link), select)')]
        .filter(e => e.getClientRects().length).map(e => [e.getBoundingClientRect(), e.textContent])
        .filter(([r]) => r.height < 40 || r.width < 36).map(([r, text]) => `${text} ${r.width} x ${r.height}`)""")
    assert not small
    page.tab.tap(INDEX)
    settled(page)
    assert page.tab.inner_text(".hl-verdict").startswith("Covered: index finger.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.serious(".handpose-live")
    assert not page.errors
    assert not outside(page)


def test_started_once_for_all_chapters(site, chromium):
    """A chapter shows its view; the next starts without asking; a page that nobody started loads nothing of it."""
    page = chromium.open(site / "live.html", locale="en-US")
    loaded = {address.rpartition("/")[2] for address in page.requests if "/_static/live/" in address}
    assert loaded == {"live.js", "page.js", "live.css"}
    for number, (chapter, titles) in enumerate(CHAPTERS.items()):
        page.go(site / "chapters" / f"{chapter}.html")
        element = page.tab.locator(".handpose-live")
        element.scroll_into_view_if_needed()
        if number == 0:
            assert page.tab.locator(".hl-all").count() == 0
            begin(page)
        page.tab.wait_for_function(browser.SETTLED)
        assert [title for title in page.evaluate(TITLES) if title != "The block swapped"] == ["Choose a hand", *titles]
    page.tab.click("text=Stop the networks")
    page.go(site / "chapters" / "04-score-maps.html")
    page.tab.locator(".handpose-live").scroll_into_view_if_needed()
    page.tab.wait_for_timeout(500)
    assert page.tab.locator(".hl-all").count() == 0
    assert not page.errors
    assert not outside(page)


def test_served_by_make_serve(site, chromium, capsys):
    """From a server as from a folder; a port in use is one clear line."""
    with book.server(0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert book.serve(server.server_port) == 1
        assert re.fullmatch(r"handpose: port \d+ cannot be used .*\n", capsys.readouterr().err)
        page = chromium.open(f"http://127.0.0.1:{server.server_port}/live.html", offline=False)
        begin(page)
        server.shutdown()
    assert page.evaluate("handposeLive.ready")
    assert not [error for error in page.errors if "favicon" not in error]


def test_a_browser_without_simd(site, chromium):
    page = chromium.open(site / "notation.html", locale="de-DE")
    page.tab.add_init_script("WebAssembly.validate = () => false")
    page.go(site / "live.html")
    assert page.tab.is_disabled(".hl-start button")
    assert "lacks SIMD in WebAssembly" in page.tab.inner_text(".hl-start .hl-error")
    assert "What to try" in page.tab.inner_text("article")
    assert not page.errors
