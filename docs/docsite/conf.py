# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Sphinx is told of the documentation's site; tools/build_docs lays its pages together and runs it."""

from __future__ import annotations

project = "pextra.cloud"
copyright = "the pextra.cloud founders"  # noqa: A001 -- Sphinx calls it so
html_title = "pextra.cloud"

extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
# What a page refers to has to be there.
nitpicky = True
# Where Ansible's own documentation has what our modules' pages refer to; tools/write_docs_site.py lists it. No list is
# fetched, so that what is built here does not depend on what answers elsewhere.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", "../ansible.inv")}

# The anchors are those that GitHub makes: the same link leads there on both.
myst_heading_anchors = 6
# Lines that end in two blanks, and quotation marks, stay as they are written.
smartquotes = False
# A block that does not say what it is written in holds commands, or what they print.
highlight_language = "text"
pygments_style = "ansible"

html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_use_index = False
# A page by itself, without a server and without a network, looks as it shall.
html_theme_options = {
    "source_repository": "https://github.com/pextra/pextra.cloud",
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
}
html_static_path: list[str] = []
