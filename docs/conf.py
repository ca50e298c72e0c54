"""How Sphinx builds the site. `make docs` builds it strictly: a warning is an error, and so is a link to no page."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Importing Airflow makes its home directory, which is not to be that of whoever builds the site.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-provider-hotmart-docs-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

from airflow_provider_hotmart import __version__  # noqa: E402 - the path comes first
from airflow_provider_hotmart.api.endpoints import ENDPOINTS  # noqa: E402
from airflow_provider_hotmart.emulator.quirks import COUNTS, MEANINGS, Quirks  # noqa: E402

project = "airflow-provider-hotmart"
author = "the authors of airflow-provider-hotmart"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
nitpicky = True
# Python's own and Airflow's names are not looked up: the site is built without a network.
nitpick_ignore_regex = [(r"py:.*", r"(?!airflow_provider_hotmart|Hotmart).*")]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
add_module_names = False

copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = f"Hotmart for Apache Airflow {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"
pygments_dark_style = "github-dark"


def explain_switches(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Put what each switch of the emulator means below its class."""
    if obj is Quirks:
        choices = {**Quirks.choices(), "too_wide": [None, "a timedelta"]}
        choices |= {name: [getattr(Quirks, name), "a number"] for name in COUNTS}
        for switch, meaning in MEANINGS.items():
            values = ", ".join(value if str(value).startswith("a ") else f"``{value!r}``" for value in choices[switch])
            lines.append(f":param {switch}: {meaning}: {values}")
        lines.append("")


def show_fields(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the fields of an endpoint's rows where a page has a block ``{fields} name``."""
    source[0] = re.sub(r"^```\{fields\} (\w+)\n```$", lambda found: fields_of(found[1]), source[0], flags=re.MULTILINE)


def fields_of(name: str) -> str:
    """Write the columns of an endpoint as a table of Markdown."""
    lines = ["| Field | Type | |", "|---|---|---|"]
    for column in ENDPOINTS[name].columns:
        hidden = "personal: a pseudonym" if column.pseudonym else "personal: dropped"
        marks = [word for word, holds in ((hidden, column.personal), ("may be missing", column.optional)) if holds]
        lines.append(f"| `{column.path}` | {column.type} | {', '.join(marks)} |")
    return "\n".join(lines)


def setup(app: Sphinx) -> None:
    """Connect what is above to Sphinx."""
    app.connect("source-read", show_fields)
    app.connect("autodoc-process-docstring", explain_switches)
