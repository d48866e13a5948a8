"""A Sphinx extension: what a page offers once `repository: url` in _config.yml is set, and not before.

Buttons to the repository, to edit the page and to report a mistake; on a chapter also to open it in Colab or on Binder.
A chapter's own file is made by a tool, so its edit button leads to the source that people edit.
"""

import re

LAUNCH = {
    "colab_url": "https://colab.research.google.com",
    "binderhub_url": "https://mybinder.org",
    "notebook_interface": "jupyterlab",
}


def configure(app, config):
    options = dict(config.html_theme_options)
    if options.get("repository_url"):
        options |= dict.fromkeys(("use_repository_button", "use_issues_button", "use_edit_page_button"), True)
        options["launch_buttons"] = LAUNCH
        config.html_theme_options = options


def edit_the_source(app, pagename, templatename, context, doctree):
    """After the theme has made the buttons: from book/chapters/NN.ipynb to book/source/NN.md."""
    for group in context.get("header_buttons") or ():
        for button in group.get("buttons", [group]):
            if button.get("label") == "source-edit-button":
                button["url"] = re.sub(r"/chapters/([\w-]+)\.ipynb$", r"/source/\1.md", button["url"])


def setup(app):
    app.connect("config-inited", configure, priority=400)
    app.connect("html-page-context", edit_the_source, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
