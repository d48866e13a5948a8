"""A Sphinx extension that gives pages with the network in them its scripts and its style, and no other page.

Such a page has an element ``<div class="handpose-live"></div>``. The files stand in ``_static/live``, where
tools/live.py puts them after Sphinx is done; none of them loads a network before a reader asks.
"""

MARK = 'class="handpose-live"'


def add_files(app, pagename, templatename, context, doctree):
    if MARK in context.get("body", ""):
        app.add_css_file("live/live.css")
        for script in ("live/live.js", "live/page.js"):
            app.add_js_file(script, loading_method="defer")


def setup(app):
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
