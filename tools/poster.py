"""Take the pictures that stand on "Try it" and in the README until a reader starts the networks, from the page itself.

    python -m tools.poster        after `make book`: into book/_static/live.webp and live-phone.webp

It needs Chromium. To be called again with new weights, as what the page says of the covered finger follows them.
"""

import io
import sys

from PIL import Image

from tests.browser import SETTLED, Browser, missing
from tools.book import INDEX, ROOT

PAGE, STATIC = INDEX.parent / "live.html", ROOT / "book" / "_static"
#: Nothing lies over the steps: the theme's own bars do, while the page is scrolled.
BARE = ".skip-link, #pst-skip-link, .bd-header-article, .bd-header, .bd-sidebar-primary { display: none !important }"
ATTENTION, AWAY = "#hl-step-8-place", "#hl-step-9-place"


def shot(browser: Browser, width: int, first: str, last: str, **options) -> Image.Image:
    """The page from the top of one element to the end of another, with the index finger of the first hand covered."""
    page = browser.open(PAGE, width=width, locale="en-GB", **options)
    page.tab.add_style_tag(content=BARE)
    page.tab.click(".hl-start button")
    page.tab.wait_for_function(SETTLED)
    page.tab.click("button[aria-label='Cover the index finger']")
    page.tab.wait_for_timeout(500)
    page.tab.wait_for_function(SETTLED)
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    top, end = (page.tab.locator(selector).first.bounding_box() for selector in (first, last))
    clip = {"x": top["x"], "y": top["y"], "width": top["width"], "height": end["y"] + end["height"] - top["y"]}
    return Image.open(io.BytesIO(page.tab.screenshot(clip=clip, full_page=True))).convert("RGB")


def main() -> int:
    if reason := missing() or (None if PAGE.exists() else f"{PAGE} is not there: `make book` first"):
        print(f"handpose: {reason}", file=sys.stderr)
        return 1
    with Browser() as browser:
        wide = shot(browser, 1280, ATTENTION, AWAY)
        narrow = shot(browser, 390, AWAY, f"{AWAY} .hl-says", device_scale_factor=2, has_touch=True)
    for image, name in ((wide, "live"), (narrow, "live-phone")):
        image.save(STATIC / f"{name}.webp", quality=80, method=6)
        print(f"{STATIC / name}.webp: {image.width} x {image.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
