"""JupyterLab's settings for the book (`make lab`): it asks the network for nothing."""

from pathlib import Path

c = get_config()  # noqa: F821
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.app_settings_dir = str(Path(__file__).with_name("lab"))  # else its first start asks about Jupyter's news
