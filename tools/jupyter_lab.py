"""JupyterLab's settings for the book (`make lab`): it asks the network for nothing."""

c = get_config()  # noqa: F821
c.LabApp.news_url = None  # else the first start asks whether to fetch Jupyter's news
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
