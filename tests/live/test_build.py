"""The modules joined, the runtime unpacked, and the networks as they are exported for the page."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch

from handpose import attention
from handpose.posenet import PoseEstimationNet
from handpose.study import analysis
from tools import live, live_networks, live_runtime


def written(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_modules_are_joined_each_with_a_scope_of_its_own(chromium, tmp_path):
    written(
        tmp_path,
        first='import { twice } from "./second.js";\nimport * as all from "./second.js";\n'
        "const own = 3;\nwindow.found = [twice(own), all.A, all.B, own];\n",
        second="const own = 2;\nexport const A = 5, B = 6;\nexport async function later() {}\n"
        "export function twice(v) { return own * v; }\n",
    )
    page = tmp_path / "index.html"
    page.write_text(f"<title>Joined</title><script>{live.join('first', tmp_path)}</script>")
    assert chromium.open(page).evaluate("window.found") == [6, 5, 6, 3]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ('import { no } from "./second.js";\n', "first.js imports no, which second.js does not export"),
        ('import { x } from "./third.js";\n', "third.js, which first.js imports: No such file"),
        ('import { x } from "./round.js";\n', "first.js imports itself: first -> round -> first"),
        ("export default 3;\n", "first.js: an import or export in a form"),
    ],
)
def test_modules_that_cannot_be_joined(tmp_path, text, wanted):
    written(tmp_path, first=text, second="export const A = 5;\n", round='import { x } from "./first.js";\n')
    with pytest.raises(live.ModuleError, match=wanted):
        live.join("first", tmp_path)


def test_every_module_of_the_page_is_joined():
    text = live.join("worker") + live.join("interface")
    modules = sorted(path.stem for path in live.SOURCE.glob("*.js") if f"modules.{path.stem} = " in text)
    assert {"crop", "resize", "pipeline", "tracking", "interface"} <= set(modules)
    assert "import.meta" not in text


def test_the_runtime_is_unpacked_and_a_damaged_file_is_named(tmp_path):
    folder = shutil.copytree(live_runtime.FOLDER, tmp_path / "runtime")
    found = live_runtime.unpack(folder)
    assert b"Eigen" in live_runtime.notices(folder)
    assert found["wasm"][:4] == b"\0asm" and b"sourceMappingURL" not in found["bundle"]
    assert b"import.meta" not in found["bundle"] and b"InferenceSession:" in found["bundle"]
    about = live_runtime.read_about(folder)
    assert about["licence"] == "MIT" and about["version"] in found["bundle"].decode()
    assert "MIT License" in (folder / "LICENSE").read_text()
    path = folder / "ort.wasm.bundle.min.mjs.xz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(live_runtime.RuntimeFilesError, match="cannot be unpacked .* from the repository again"):
        live_runtime.unpack(folder)
    shutil.copy(live_runtime.FOLDER / path.name, path)
    about["sha256"]["ort-wasm-simd-threaded.wasm"] = "0" * 64
    (folder / "runtime.json").write_text(json.dumps(about))
    with pytest.raises(live_runtime.RuntimeFilesError, match=r"wasm.xz: damaged \(its SHA-256 is another\)"):
        live_runtime.unpack(folder)
    with pytest.raises(live_runtime.RuntimeFilesError, match="exports nothing in the form"):
        live_runtime.classic("var a = 1; export default a;")


def test_swapped_blocks_are_offered_once_each_has_its_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(live_networks, "CLAIM", tmp_path)
    (tmp_path / "weights").mkdir()
    for name in ("msahp", "none"):
        (tmp_path / "weights" / f"{name}-s0.safetensors").touch()
    assert list(live_networks.weights_files()) == ["detector", "gestures", "laptop"]
    last = tmp_path / "weights" / "conv-ops-s0.safetensors"
    last.touch()
    found = live_networks.weights_files()
    assert list(found)[3:] == ["msahp", "none", "conv-ops"] and found["conv-ops"] == last


@pytest.fixture(scope="module")
def nets():
    torch.manual_seed(3)
    kinds = {"msahp": {}, "none": {"attention": False}, "conv-ops": {"control": 30}}
    return {name: PoseEstimationNet(width=0.125, **options).eval() for name, options in kinds.items()}


@pytest.mark.parametrize("name", ["msahp", "none", "conv-ops"])
def test_networks_of_every_block_for_the_page(nets, name):
    """With and without attention, silenced heads included, and weights that are float16 stored as such."""
    net = nets[name]
    for parameter in net.parameters():
        if parameter.ndim >= 2:
            parameter.data = parameter.data.half().float()
    images = torch.rand(1, 3, 64, 64)
    model = live_networks.pose_model(net, 64)
    heads = live_networks.describe(name, net, 64)["heads"]
    session = onnxruntime.InferenceSession(model)
    feeds = {"images": images.numpy()} | ({"heads": np.ones(heads, np.float32)} if heads else {})
    with torch.inference_mode(), attention.record(net) as weights:
        wanted = [m.numpy() for m in net(images)]
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))
    assert all(np.abs(found[f"stage{k + 1}"] - m).max() < 1e-4 for k, m in enumerate(wanted))
    assert (heads == 8) == (name == "msahp") and ("attention" in found) == bool(heads)
    if heads:
        assert np.abs(found["attention"] - weights[0].numpy()).max() < 1e-5
        feeds["heads"][[2, 5]] = 0
        with torch.inference_mode(), analysis.knock_out(net, [2, 5]):
            silenced = net(images)[-1].numpy()
        assert np.abs(session.run(["stage2"], feeds)[0] - silenced).max() < 1e-4
        assert np.abs(silenced - wanted[-1]).max() > 3e-4
    numbers = sum(p.numel() for p in net.parameters())
    assert len(model) < 2.6 * numbers + 100_000
