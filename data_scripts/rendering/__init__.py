"""Rendered hands as files: a module a layout, with its tasks, the files of each, and what draws them."""
