"""Settings of the site. `make docs` builds it; a warning is an error there."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

project = "Pilotfish"
author = "The Pilotfish authors"
version = release = _PROJECT["version"]
extensions = ["myst_parser", "docs.generate"]
exclude_patterns = ["**/__pycache__"]
nitpicky = True
# A link to a heading is checked down to this level.
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]
html_theme = "furo"
html_title = "Pilotfish"
html_static_path = ["_static"]
html_css_files = ["pilotfish.css"]
html_copy_source = False
html_show_copyright = False
