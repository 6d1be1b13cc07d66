"""Options of the documentation's builder."""

project = "classicvid"
author = "The classicvid developers"
copyright = "2026, The classicvid developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = "classicvid"
exclude_patterns = ["_build", "flow_quality_table.md"]  # the table is a part of a page
napoleon_google_docstring = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
myst_heading_anchors = 3
# The word "arrays" in a docstring is no reference to an attribute of that name.
suppress_warnings = ["myst.xref_missing", "ref.python"]
