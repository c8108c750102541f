"""Settings of the documentation.

Build it with ``python -m sphinx -W -b html docs docs/_build/html``; add
``-D plot_gallery=0`` to leave the examples unexecuted.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ.setdefault("MPLBACKEND", "Agg")

from members import shown_methods

import skbadge

project = "skbadge"
author = "the skbadge developers"
copyright = author
version = release = skbadge.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "house",
    "mathml",
    "measured",
]
exclude_patterns = ["_build", "auto_examples/**/*.ipynb", "auto_examples/**/*.py"]
templates_path = ["_templates"]

# ------------------------------------------------------------------------- links
# Single backticks try to be links to something of ours, and are code otherwise.
default_role = "py:obj"
# Every other reference into the library must lead somewhere. Names that other
# libraries own are not looked up: the site builds without a network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"(?!skbadge\.).*"),
    ("py:.*", r"(numpy|scipy|pandas|joblib|sklearn|skorch|torch|matplotlib)\..*"),
]
suppress_warnings = ["config.cache"]

# --------------------------------------------------------------------------- API
autosummary_generate = True
autosummary_context = {"shown_methods": shown_methods}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_use_plots = False
numpydoc_validation_checks = {
    "GL01",  # text on the second line
    "GL03",  # no double blank lines
    "GL05",  # no tabs
    "GL06",  # known sections only
    "GL07",  # sections in the usual order
    "PR01",  # parameters documented
    "PR02",  # no unknown parameters
    "PR03",  # in the right order
    "PR04",  # with a type
    "PR05",  # whose line does not end in a period
    "PR07",  # with a description
    "PR10",  # and a space before the colon
    "SS01",  # a summary
    "SS02",  # with a capital letter
    "SS03",  # and a period
    "SS04",  # not indented
    "SS05",  # in the imperative
}
# Methods whose arguments another library or a protocol settles, and records, which list
# their fields as attributes.
numpydoc_validation_exclude = {
    r"\.(Cell|DatasetInfo|GridResults|Preset|Task)(\.|$)",
    r"\.on_\w+$",
    r"\.forward$",
    r"\.(run_single_epoch|train_step_single)$",
    r"\.embeddings\.Embedding(\.|$)",
}

# ----------------------------------------------------------------------- gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": [
        "../examples/first_steps",
        "../examples/nets",
        "../examples/selection",
        "../examples/studies",
    ],
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skbadge",),
    "reference_url": {"skbadge": None},
    "image_scrapers": ("pictures.scrape",),
    "capture_repr": ("_repr_html_",),
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "plot_gallery": "True",
}

# -------------------------------------------------------------------------- HTML
html_theme = "pydata_sphinx_theme"
html_title = f"skbadge {version}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["scroll.js"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skbadge"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"install": [], "whats_new": [], "contributing": []}
