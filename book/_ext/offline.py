"""A Sphinx extension that makes the built book work from a folder, without a network and with a quiet console.

* MathJax stands beside the pages: its files come from the package sphinx-mathjax-offline, and only those that a page
  can ask for are copied (3 MB instead of 24).
* sphinx-thebe, which jupyter-book always adds, is taken off the pages: it is not used, and its script throws an error.
"""

import importlib.metadata
import shutil
from pathlib import Path

MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "a11y", "sre/mathmaps/en.json", "output/chtml/fonts")


def mathjax_folder() -> Path:
    """The folder of MathJax's files in the installed package (its name has hyphens, so it cannot be imported)."""
    files = importlib.metadata.files("sphinx-mathjax-offline") or []
    for file in files:
        if file.parts[-2:] == ("mathjax", "tex-chtml.js"):
            return Path(file.locate()).parent
    raise FileNotFoundError("sphinx-mathjax-offline is installed without MathJax's files; install it again")


def copy_mathjax(app, exception):
    if exception is None and app.builder.format == "html":
        source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
        for part in MATHJAX_PARTS:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            if (source / part).is_dir():
                shutil.copytree(source / part, target / part, dirs_exist_ok=True)
            else:
                shutil.copy2(source / part, target / part)


def configure(app, config):
    config.mathjax_path = "mathjax/tex-chtml.js"


def without_thebe(app, config):
    """Disconnect all that sphinx-thebe wants to do."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__.split(".")[0] == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files[:] = [file for file in app.registry.css_files if "thebe" not in file[0]]


def setup(app):
    app.connect("config-inited", configure, priority=400)
    app.connect("config-inited", without_thebe, priority=300)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
