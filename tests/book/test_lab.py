"""JupyterLab as `make lab` starts it."""

import re
import shlex

from jupyterlab.handlers.announcements import NeverCheckForUpdate
from jupyterlab.labapp import LabApp
from jupyterlab_server.settings_utils import _get_overrides

from tests.conftest import ROOT


def test_it_asks_the_network_for_nothing(monkeypatch):
    (line,) = re.findall(r"-m jupyter lab (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    monkeypatch.chdir(ROOT)
    app = LabApp()
    assert app.news_url  # what would be asked for
    app.parse_command_line(shlex.split(line))
    app.load_config_file()
    assert app.news_url is None and app.check_for_updates_class is NeverCheckForUpdate
    changed, trouble = _get_overrides(app.app_settings_dir)
    assert not trouble and changed["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
