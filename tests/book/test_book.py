"""The book: its sources and chapters agree, its figures can be heard, and its pages need nothing but themselves."""

import html
import html.parser
import itertools
import os
import re
import subprocess
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

from tools import book, notebooks

ROOT = notebooks.ROOT
BOOK = ROOT / "book"
SOURCES = notebooks.sources()
TOC = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))


def _documents(entry) -> list[str]:
    """Every document of the table of contents, in order."""
    if isinstance(entry, list):
        return [name for part in entry for name in _documents(part)]
    own = [entry[key] for key in ("root", "file") if key in entry]
    return own + [name for key in ("parts", "chapters", "sections") if key in entry for name in _documents(entry[key])]


DOCUMENTS = _documents(TOC)
CHAPTERS = [ROOT / "book" / (name + ".ipynb") for name in DOCUMENTS if name.startswith("chapters/")]
stems = [path.stem for path in SOURCES]


def test_contents_and_chapters_are_the_same():
    listed = {path.stem for path in CHAPTERS}
    assert listed == set(stems), "book/_toc.yml and book/source do not list the same chapters"
    assert listed == {path.stem for path in notebooks.CHAPTERS.glob("*.ipynb")}, "run `make notebooks`"
    assert [path.stem for path in CHAPTERS] == sorted(listed), "the chapters' numbers are out of order"


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_chapter_agrees_with_its_source(source):
    chapter = nbformat.read(notebooks.chapter_of(source), as_version=4)
    wanted = notebooks.convert(source)
    hint = "run `make notebooks`; chapters are edited in book/source only"
    assert chapter.metadata["handpose"]["source_sha256"] == notebooks.source_hash(source), hint
    assert len(chapter.cells) == len(wanted.cells), hint
    for cell, want in zip(chapter.cells, wanted.cells, strict=True):
        assert (cell.cell_type, cell.source, cell.id) == (want.cell_type, want.source, want.id), hint
        assert cell.metadata == want.metadata, hint


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_chapter_is_executed_from_top_to_bottom(source):
    chapter = nbformat.read(notebooks.chapter_of(source), as_version=4)
    counts = [cell.execution_count for cell in chapter.cells if cell.cell_type == "code" and cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1))
    errors = [out for cell in chapter.cells for out in cell.get("outputs", []) if out.output_type == "error"]
    assert not errors


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_every_picture_has_a_text(source):
    chapter = nbformat.read(notebooks.chapter_of(source), as_version=4)
    for number, cell in enumerate(chapter.cells, start=1):
        cell_name = f"{source.name}, cell {number}, under “{notebooks.heading(chapter, number - 1)}”"
        if cell.cell_type == "markdown":
            for alt in re.findall(r"!\[(.*?)\]\(", cell.source):
                assert alt.strip(), f"{cell_name}: an image without alt text"
            for block in re.findall(r"^(?:`{3,}|:{3,})\{(?:image|figure)\}.*\n((?::.*\n)*)", cell.source, flags=re.M):
                assert re.search(r"^:alt: *\S", block, flags=re.M), f"{cell_name}: a figure without :alt:"
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                alt = ((cell.metadata.get("mystnb") or {}).get("image") or {}).get("alt") or ""
                assert len(alt) >= 15, f"{cell_name}: write mystnb: image: alt: ... in the cell's head"
            for tag in re.findall(r"<img\b[^>]*>", str(data.get("text/html", ""))):
                assert re.search(r"""\balt=(["'])(?!\1)""", tag), f"{cell_name}: an <img> without alt text"


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_headings_go_down_one_step_at_a_time(source):
    levels = []
    for cell in notebooks.convert(source).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^(`{3,}|:{3,}).*?^\1", "", cell.source, flags=re.M | re.S)
            levels += [len(marks) for marks in re.findall(r"^(#{1,6}) ", text, flags=re.M)]
    assert levels, "a chapter without a title"
    assert levels[0] == 1 and levels.count(1) == 1, "one title, at the top"
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), levels


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_every_exercise_has_a_checked_solution(source):
    """A solution stands between solution-start and solution-end and holds a cell with an ``assert``; nbval runs it."""
    exercises, solved, inside = set(), {}, None
    for number, cell in enumerate(notebooks.convert(source).cells, start=1):
        if cell.cell_type == "code":
            if inside and re.search(r"^\s*assert\b", cell.source, flags=re.M):
                solved[inside] = True
            continue
        directives = r"^(?:`{3,}|:{3,})\{(exercise|exercise-start|solution|solution-start|solution-end)\} *(\S*)"
        for found in re.finditer(directives, cell.source, flags=re.M):
            kind, name = found.groups()
            if kind.startswith("exercise"):
                label = re.match(r"[^\n]*\n(?::[^\n]*\n)*?:label: *(\S+)", cell.source[found.start() :])
                assert label, f"{source.name}, cell {number}: an exercise without a :label:"
                exercises.add(label.group(1))
            elif kind == "solution-end":
                inside = None
            else:
                assert kind == "solution-start", f"{source.name}, cell {number}: use solution-start ... solution-end"
                assert ":class: dropdown" in cell.source[found.start() :].split("\n\n")[0], f"{name}: not folded away"
                inside = name
                solved.setdefault(name, False)
    assert inside is None, f"{source.name}: the solution of {inside} has no end"
    assert exercises == set(solved), "exercises and solutions do not match"
    assert all(solved.values()), f"no cell with an assert in the solution of {[k for k, v in solved.items() if not v]}"


@pytest.mark.parametrize(("source", "after"), [*itertools.pairwise(SOURCES)], ids=stems[:-1])
def test_the_last_paragraph_leads_to_the_next_chapter(source, after):
    last = source.read_text(encoding="utf-8").rstrip().split("\n\n")[-1]
    assert f"]({after.stem})" in last, f"{source.name}: the last paragraph has no link to {after.stem}"
    assert len(last.split()) > 15, "and says why to go on"


@pytest.mark.parametrize("source", SOURCES, ids=stems)
def test_notebook_is_small(source):
    assert notebooks.chapter_of(source).stat().st_size <= notebooks.LARGEST


def test_repository_is_small():
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    total = sum(os.path.getsize(ROOT / name) for name in names if name and (ROOT / name).is_file())
    assert total <= 40e6, f"{total / 1e6:.1f} MB would be tracked; the limit is 40"


# The built pages


def test_book_builds_without_warnings(trouble):
    if trouble:
        pytest.fail(trouble, pytrace=False)
    assert all((book.INDEX.parent / (name + ".html")).exists() for name in DOCUMENTS)


class _Loads(html.parser.HTMLParser):
    """Collects what a page loads by itself (not what it links to), its pictures' texts and its inline style."""

    SOURCES = {"script": ["src"], "img": ["src", "srcset"], "iframe": ["src"], "source": ["src", "srcset"],
               "video": ["src", "poster"], "audio": ["src"], "embed": ["src"], "object": ["data"], "image": ["href"],
               "use": ["href"], "input": ["src"], "track": ["src"]}  # fmt: skip
    RELATIONS = {"stylesheet", "preload", "icon", "shortcut icon", "modulepreload", "prefetch", "preconnect",
                 "dns-prefetch", "manifest", "apple-touch-icon"}  # fmt: skip

    def __init__(self):
        super().__init__()
        self.loads, self.images, self.inline, self._tag = [], [], "", ""

    def handle_starttag(self, tag, attributes):
        self._tag, attributes = tag, dict(attributes)
        self.loads += [attributes[name] for name in self.SOURCES.get(tag, []) if attributes.get(name)]
        if tag == "link" and self.RELATIONS & {attributes.get("rel", "").lower(), *attributes.get("rel", "").split()}:
            self.loads.append(attributes.get("href", ""))
        if tag == "img":
            self.images.append((attributes.get("src", ""), attributes.get("alt", "")))
        self.inline += " " + (attributes.get("style") or "")

    def handle_data(self, data):
        if self._tag in ("style", "script"):
            self.inline += data


def _outside(address: str) -> bool:
    return bool(re.match(r"\s*(https?:|ftp:|wss?:)?//", address, flags=re.I))


def _style_loads(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = re.findall(r"""url\(\s*["']?([^"')]+)""", text) + re.findall(r"""@import\s+["']([^"']+)""", text)
    return [address for address in found if _outside(address)]


def test_pages_load_nothing_from_outside(site):
    for file in sorted(site.rglob("*.html")):
        if "_static" in file.relative_to(site).parts:
            continue
        page = _Loads()
        page.feed(file.read_text(encoding="utf-8"))
        outside = [address for address in page.loads if _outside(address)] + _style_loads(page.inline)
        assert not outside, f"{file.relative_to(site)} loads {outside}"
        assert not re.search(r"\bimport\s*\(?\s*[\"']https?:|require\.config|\bfetch\(\s*[\"']https?:", page.inline)
        for address, alt in page.images:
            assert alt.strip(), f"{file.relative_to(site)}: {address} has no alt text"
            assert not re.fullmatch(r"(\.\./)*_images/\S+", alt), f"{file.relative_to(site)}: {alt} is no alt text"
    for file in site.rglob("*.css"):
        assert not _style_loads(file.read_text(encoding="utf-8", errors="replace")), file


def test_a_number_keeps_its_per_cent_sign(site):
    assert "99.05\N{NO-BREAK SPACE}%" in (site / "intro.html").read_text(encoding="utf-8")


def test_no_links_are_dead(site):
    """Links from page to page inside the book lead to a file, and to an anchor that is there."""
    anchors: dict[Path, set[str]] = {}
    for name in DOCUMENTS:
        file = site / (name + ".html")
        text = file.read_text(encoding="utf-8")
        for address in re.findall(r"""<a\b[^>]*?\bhref="([^"#:]*(?:#[^"]*)?)\"""", text):
            path, _, anchor = html.unescape(address).partition("#")
            target = (file.parent / path).resolve() if path else file
            assert target.exists(), f"{name}: {address} leads nowhere"
            if anchor and target.suffix == ".html":
                if target not in anchors:
                    anchors[target] = set(re.findall(r"""\bid="([^"]+)\"""", target.read_text(encoding="utf-8")))
                assert html.unescape(anchor) in anchors[target], f"{name}: {address} has no such anchor"


def test_the_sidebar_leads_to_every_page_and_to_no_heading(site):
    """It is made of titles alone (book/_ext/sidebar.py), on pages of the book and on those of the source code."""
    for name in ("chapters/06-attention", "_modules/handpose/attention"):
        file = site / (name + ".html")
        menu = re.search(r'<nav class="bd-links.*?</nav>', file.read_text(encoding="utf-8"), flags=re.S).group()
        links = [href for href in re.findall(r'href="([^"]*)"', menu) if href != "#"]
        pages = [
            (file.parent / href).resolve().relative_to(site.resolve()).with_suffix("").as_posix() for href in links
        ]
        here = [name] if name in DOCUMENTS else []
        assert [*dict.fromkeys(pages)] == [page for page in DOCUMENTS if page not in here]


# A page takes seconds to open: it is opened once, wide and light, and then made narrow and dark.
SHAPES = ((1280, False), (390, True))


@pytest.mark.parametrize("name", [*DOCUMENTS, "search", "genindex", "_modules/handpose/data/readers/hand_keypoints"])
def test_page_in_a_browser(site, chromium, name):
    page = chromium.open(site / (name + ".html"))
    for width, dark in SHAPES:
        page.shape(width, dark=dark)
        assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(TOO_WIDE)
    asked = [address for address in page.requests if not address.startswith(("file:", "data:", "blob:", "about:"))]
    assert not asked, "the page asked the network"
    assert not page.errors, "errors in the console"
    formulas, typeset = page.evaluate(
        "[document.querySelectorAll('.math').length, document.querySelectorAll('.math mjx-container').length]"
    )
    assert typeset >= formulas, f"{formulas} formulas, {typeset} typeset"
    assert not page.evaluate("document.querySelectorAll('mjx-merror').length"), "a formula with an error"
    text = page.evaluate("document.querySelector('article, main').innerText")
    assert not re.search(r"\\[(\[]|\\begin\{", text) or "```" in text, "raw TeX on the page"
    if formulas:
        assert page.evaluate("[...document.fonts].some(f => /^MJX/.test(f.family) && f.status == 'loaded')"), "no font"
    broken = page.evaluate(
        "[...document.querySelectorAll('article img')].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    )
    assert not broken, "pictures that did not load"
    if name not in ("api/paper", "api/data", "api/readers", "api/train"):  # api/apply stands for them
        # The theme lets wide code be scrolled by keys if it is wide when the page is loaded; two of its own buttons
        # show icons and keys beside their names.
        assert not page.serious(without=["scrollable-region-focusable", "label-content-name-mismatch"])
    if name.startswith("chapters/"):
        wanted = (BOOK / "source" / f"{Path(name).name}.md").read_text(encoding="utf-8").count("{solution-start}")
        assert page.evaluate("document.querySelectorAll('.solution').length") == wanted
        page.evaluate("window.folded = [...document.querySelectorAll('.solution')].map(s => [s, s.clientHeight])")
        page.evaluate("folded.forEach(([s]) => s.querySelector('.toggle-button, .admonition-title').click())")
        page.tab.wait_for_function("folded.every(([s, height]) => s.clientHeight > height)")  # they open one by one


def test_the_zipped_book_opens_anywhere(site, chromium, tmp_path):
    """Unpacked from the file that is handed out, below a name with spaces and umlauts, opened from ``file://``."""
    target = tmp_path / "für die Klasse"
    file = book.pack()
    assert file.stat().st_size < 35_000_000, "too large to be handed out"
    with zipfile.ZipFile(file) as packed:
        packed.extractall(target)
    page = chromium.open(target / book.PACKED / "live.html", width=390)
    page.tab.click(".hl-start button")
    page.tab.wait_for_function("window.handposeLive.ready")
    assert not page.errors
    for name in ("index", "chapters/06-attention"):
        page = chromium.open(target / book.PACKED / f"{name}.html", width=390)
        ours = (target.resolve().as_uri(), "data:", "blob:", "about:")
        assert not [address for address in page.requests if not address.startswith(ours)]
        assert not page.errors
    assert page.evaluate("[...document.querySelectorAll('figure.explorer img')].every(i => i.naturalWidth)")


# The elements that stick out of a page that is too wide, for the message
TOO_WIDE = """[...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map(e => e.tagName + '.' + e.className + ': ' + e.textContent.trim().slice(0, 40))"""
