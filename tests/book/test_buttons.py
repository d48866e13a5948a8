"""What one setting, the repository's address, puts on the pages: a book of two pages with a made-up one."""

import html
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from tools import notebooks

ADDRESS = "https://github.com/somebody/hands"
PAGE = "chapters/04-score-maps"


@pytest.fixture(scope="module", params=["", ADDRESS], ids=["without", "with"])
def pages(request, tmp_path_factory) -> tuple[str, dict[str, str]]:
    """The address, and the built pages: the introduction and one chapter."""
    folder = tmp_path_factory.mktemp("book")
    config = yaml.safe_load(notebooks.CONFIG.read_text(encoding="utf-8"))
    config["repository"]["url"] = request.param
    sphinx = config["sphinx"]
    sphinx["local_extensions"] = {"buttons": "book/_ext/"}
    sphinx["config"] = {"html_theme_options": sphinx["config"]["html_theme_options"]}
    del sphinx["extra_extensions"], config["bibtex_bibfiles"]
    (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "book" / "chapters").mkdir(parents=True)
    shutil.copytree(notebooks.ROOT / "book" / "_ext", folder / "book" / "_ext")
    (folder / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: intro\nchapters:\n  - file: {PAGE}\n")
    (folder / "book" / "intro.md").write_text("# A book\n\nWords.\n")
    source = next(s for s in notebooks.sources() if PAGE.endswith(s.stem))
    chapter = notebooks.convert(source)
    chapter.cells = [nbformat.v4.new_markdown_cell("# A chapter"), nbformat.v4.new_code_cell("1 + 1")]
    nbformat.write(chapter, folder / "book" / f"{PAGE}.ipynb")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "book", "--quiet",
               "--config", "_config.yml", "--path-output", ".", "-W"]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr
    built = folder / "_build" / "html"
    return request.param, {name: (built / f"{name}.html").read_text(encoding="utf-8") for name in ("intro", PAGE)}


def links(page: str) -> set[str]:
    """The addresses that the buttons at the top of a page lead to."""
    top = re.search(r'<div class="header-article.*?<article', page, re.S)[0]
    return {html.unescape(address) for address in re.findall(r'href="(https?:[^"]+)"', top)}


def test_the_address_brings_the_buttons(pages):
    address, built = pages
    if not address:
        assert not links(built["intro"]) and not links(built[PAGE])
        return
    issue = f"{ADDRESS}/issues/new?title=Issue%20on%20page%20%2F{{}}.html&body=Your%20issue%20content%20here."
    assert links(built["intro"]) == {ADDRESS, issue.format("intro"), f"{ADDRESS}/edit/main/book/intro.md"}
    assert links(built[PAGE]) == {
        ADDRESS,
        issue.format(PAGE),
        f"{ADDRESS}/edit/main/book/source/04-score-maps.md",
        f"https://colab.research.google.com/github/somebody/hands/blob/main/book/{PAGE}.ipynb",
        f"https://mybinder.org/v2/gh/somebody/hands/main?urlpath=lab/tree/book/{PAGE}.ipynb",
    }
    for path in ("book/source/04-score-maps.md", f"book/{PAGE}.ipynb", "book/intro.md", ".binder/postBuild"):
        assert (notebooks.ROOT / path).exists(), path
