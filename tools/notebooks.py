"""Execute book/source/NN-name.md into book/chapters/NN-name.ipynb.

    python tools/notebooks.py             the chapters whose source has changed (where only text has, without executing)
    python tools/notebooks.py --all       all of them
    python tools/notebooks.py 03          those whose name begins with 03 (several may be named)
    python tools/notebooks.py --list      what is up to date and what is not; executes nothing

The sources are the only form edited by hand. A chapter's metadata holds the hash of the source that made it, which
tests/book/test_book.py compares, and the hash of the package's code behind its outputs. A chapter whose code in
`handpose/` has changed since is listed, not executed again: nbval (`make test`) tells whether its outputs still hold.
A chapter whose code cells are as they were takes the new text and keeps its outputs.
The metadata also holds the seconds that the execution took, which are copied into book/teaching.md.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import marked

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "book" / "source"
CHAPTERS = ROOT / "book" / "chapters"
CONFIG = ROOT / "_config.yml"  # the book's settings, the repository's address among them
TEACHING = ROOT / "book" / "teaching.md"  # says how long each chapter runs
LARGEST = 2_000_000  # bytes of one executed notebook
SLOWEST = 90  # seconds

# What a chapter's kernel runs under, here and in `make test` (conftest.py): the same outputs on every machine.
KERNEL_ENV = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "2",  # sums in another order give other last digits
    "MKL_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait do not take the cores from those that work
    "CUDA_VISIBLE_DEVICES": "",  # the stored outputs are those of a CPU
    "HANDPOSE_DATA": "",  # chapters use the embedded data only
    "TQDM_DISABLE": "1",  # progress bars differ from run to run
    "HANDPOSE_BOOK": "1",  # explorers as pre-drawn pictures, not as widgets that need a kernel
    "PYTHONWARNINGS": "default",
    "COLUMNS": "100",
}


# The first cell of every chapter once the repository has an address: for Colab, which opens the notebook alone.
# Binder builds the whole repository and needs nothing (.binder/).
FIRST_CELL = """\
# Away from the repository, as in Colab: fetch it, and install what the chapter needs
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("handpose") is None:
    subprocess.run(["git", "clone", "--depth", "1", "--branch", {branch!r}, {url!r}, "handpose-book"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./handpose-book"], check=True)
    os.chdir("handpose-book/book/chapters")"""


def prepare_environment() -> None:
    """Set KERNEL_ENV in this process, whose kernels inherit it."""
    os.environ.update(KERNEL_ENV)


def first_cell() -> str:
    """The code of FIRST_CELL with the address in _config.yml; empty while there is none."""
    import yaml

    where = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repository"]
    return FIRST_CELL.format(url=where["url"], branch=where["branch"]) if where["url"] else ""


def source_hash(path: Path) -> str:
    """SHA-256 of a chapter's source, whatever its line ends, and of the cell that is put before it."""
    return hashlib.sha256((first_cell() + path.read_text(encoding="utf-8")).encode("utf-8")).hexdigest()


def package_hash() -> str:
    """SHA-256 over the package's Python files and configurations."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "handpose").rglob("*")):
        if path.suffix in (".py", ".toml") and "__pycache__" not in path.parts:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_text("utf-8").encode())
    return digest.hexdigest()


def sources() -> list[Path]:
    return sorted(SOURCES.glob("[0-9][0-9]-*.md"))


def chapter_of(source: Path) -> Path:
    return CHAPTERS / (source.stem + ".ipynb")


def convert(source: Path):
    """The chapter as an unexecuted notebook, the same bytes every time.

    :param source: a MyST file whose code stands in ``{code-cell}`` blocks
    """
    import jupytext
    import nbformat

    notebook = jupytext.read(source, fmt="md:myst")
    if code := first_cell():
        after_title = 1 if notebook.cells and notebook.cells[0].cell_type == "markdown" else 0
        notebook.cells.insert(after_title, nbformat.v4.new_code_cell(code, metadata={"tags": ["remove-cell"]}))
    counts: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256((cell.cell_type + cell.source).encode()).hexdigest()[:10]
        counts[name] = counts.get(name, 0) + 1
        cell["id"] = name if counts[name] == 1 else f"{name}-{counts[name]}"
        if cell.cell_type == "markdown":
            cell.metadata.clear()
        elif "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True}  # JupyterLab folds it away as the page does
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.clear()
    notebook.metadata.update(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        handpose={"source": source.relative_to(ROOT).as_posix(), "source_sha256": source_hash(source)},
    )
    return notebook


def heading(notebook, index: int) -> str:
    """The last heading before a cell, to name the place where something went wrong."""
    for cell in reversed(notebook.cells[: index + 1]):
        found = re.findall(r"^#+ +(.+)$", cell.source, flags=re.M) if cell.cell_type == "markdown" else []
        if found:
            return found[-1]
    return "the beginning"


def execute(source: Path) -> float:
    """Execute one chapter and write its notebook; raises ``RuntimeError`` naming chapter and cell when a cell fails.

    :returns: seconds
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = convert(source)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=1800,
        record_timing=False,
        coalesce_streams=True,  # else a flush of the kernel splits a line of output in two
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(CHAPTERS)}},
    )
    started = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        index = next((i for i, cell in enumerate(notebook.cells) if _failed(cell)), None)
        if index is None:  # a dead kernel or a timeout leaves no error output
            counts = [i for i, cell in enumerate(notebook.cells) if cell.get("execution_count")]
            index = counts[-1] if counts else 0
        code = notebook.cells[index].source
        raise RuntimeError(
            f"{source.name}, cell {index + 1}, under “{heading(notebook, index)}”:\n\n{_indent(code)}\n\n{error}"
        ) from None
    seconds = time.perf_counter() - started
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr" and "nbval-ignore-output" not in cell.metadata.get("tags", []):
                print(
                    f"  note: {source.name}: stderr under “{heading(notebook, notebook.cells.index(cell))}”; "
                    f"nbval will compare it: {output['text'].strip().splitlines()[-1][:120]}"
                )
    version = notebook.metadata.get("language_info", {})
    for key in [key for key in version if key not in ("name", "file_extension", "mimetype")]:
        del version[key]
    notebook.metadata.handpose.update(package_sha256=package_hash(), seconds=round(seconds), device=processor())
    target = write(notebook, source)
    size = target.stat().st_size
    if size > LARGEST:
        print(f"  WARNING: {target.name} is {size / 1e6:.1f} MB; the limit is {LARGEST / 1e6:.0f} MB")
    if seconds > SLOWEST:
        print(f"  WARNING: {target.name} took {seconds:.0f} s; the limit is {SLOWEST} s")
    return seconds


def write(notebook, source: Path) -> Path:
    """Write a chapter's notebook, whole or not at all."""
    import nbformat

    nbformat.validate(notebook)
    target = chapter_of(source)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    temporary.replace(target)
    return target


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def same_code(one, other) -> bool:
    """Whether two notebooks have the same code cells with the same tags, in the same order.

    What `mystnb` holds, a picture's alt text for one, is read when the page is built, not when the cell is executed.
    """

    def executed(notebook) -> list:
        return [(c.source, {k: v for k, v in c.metadata.items() if k != "mystnb"}) for c in code_cells(notebook)]

    return executed(one) == executed(other)


def take_text(source: Path) -> None:
    """Bring a chapter's new text into its notebook; outputs, which depend on the code alone, stay."""
    import nbformat

    old, notebook = nbformat.read(chapter_of(source), as_version=4), convert(source)
    for cell, before in zip(code_cells(notebook), code_cells(old), strict=True):
        cell.execution_count, cell.outputs = before.execution_count, before.outputs
    notebook.metadata = {**old.metadata, "handpose": {**old.metadata.handpose, **notebook.metadata.handpose}}
    write(notebook, source)


def processor() -> str:
    """What a chapter runs on, in words."""
    import torch

    from handpose import devices

    torch.set_num_threads(int(KERNEL_ENV["OMP_NUM_THREADS"]))
    return devices.describe(torch.device("cpu"))


def with_times(page: str) -> str:
    """The page For instructors with the seconds that each chapter took when it was last executed.

    They stand behind the chapter's link, as in ``[Title](chapters/01-title) | 8``; all of them together, and the
    processor, between marks. A chapter that was executed before this was recorded is left out.
    """
    import nbformat

    chapters = {source.stem: nbformat.read(chapter_of(source), as_version=4) for source in sources()}
    records = {stem: chapter.metadata.handpose for stem, chapter in chapters.items()}
    timed = {stem: record for stem, record in records.items() if "seconds" in record}
    for stem, record in timed.items():
        page = re.sub(rf"(\(chapters/{stem}\) \| )\d+", rf"\g<1>{record['seconds']}", page)
    places = " and ".join(sorted({record["device"] for record in timed.values()}))
    total = f"{sum(record['seconds'] for record in timed.values())} in all, on {places}"
    return marked.fill(page, "times", total)


def _failed(cell) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def state(source: Path) -> str:
    """One of ``missing``, ``source changed``, ``text changed``, ``package changed``, ``up to date``."""
    import nbformat

    chapter = chapter_of(source)
    if not chapter.exists():
        return "missing"
    try:
        notebook = nbformat.read(chapter, as_version=4)
        record = notebook.metadata.get("handpose", {})
    except Exception:  # not a notebook: to be made again
        return "missing"
    if record.get("source_sha256") != source_hash(source):
        return "text changed" if same_code(convert(source), notebook) else "source changed"
    return "up to date" if record.get("package_sha256") == package_hash() else "package changed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of chapter names, such as 03 (default: what has changed)")
    parser.add_argument("--all", action="store_true", help="execute every chapter")
    parser.add_argument("--list", action="store_true", help="only say what is up to date")
    arguments = parser.parse_args()
    prepare_environment()
    CHAPTERS.mkdir(parents=True, exist_ok=True)
    chosen = [s for s in sources() if not arguments.names or s.stem.startswith(tuple(arguments.names))]
    if arguments.names and not chosen:
        print(f"no chapter begins with {', '.join(arguments.names)}; there are: {', '.join(s.stem for s in sources())}")
        return 1
    failures, stale = [], []
    for source in chosen:
        now = state(source)
        if arguments.list:
            print(f"{source.stem:32} {now}")
            continue
        if not (arguments.all or arguments.names or now in ("missing", "source changed")):
            print(f"{source.stem}: {now}")
            if now == "package changed":
                stale.append(source.stem)
            elif now == "text changed":
                take_text(source)
            continue
        print(f"{source.stem}: executing ...", flush=True)
        try:
            seconds = execute(source)
        except RuntimeError as error:
            failures.append(source.stem)
            print(f"\n{error}\n", file=sys.stderr)
        else:
            print(f"{source.stem}: {seconds:.0f} s, {chapter_of(source).stat().st_size / 1e6:.2f} MB")
    for chapter in CHAPTERS.glob("*.ipynb"):
        if not (SOURCES / (chapter.stem + ".md")).exists():
            print(f"note: {chapter.relative_to(ROOT)} has no source any more; remove it")
    if not arguments.list and all(chapter_of(source).exists() for source in sources()):
        TEACHING.write_text(with_times(TEACHING.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    if stale:
        print("The package has changed since these were executed (ALL=1 does them all): " + ", ".join(stale))
    if failures:
        print(f"failed: {', '.join(failures)}; their notebooks are as they were", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
