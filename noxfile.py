"""
The versions that this package is proven on, in one place.

``make matrix`` runs them all; ``make matrix-ends`` what runs with Airflow on the oldest, and on the newest, where
``make test`` has run everything from the checkout, whether the wheel is one.

Each cell installs the built wheel, never the checkout, in a new environment with the pinned versions of
``constraints/airflow-<line>.txt``, checks that the Airflow asked for is the one installed, and runs the tests against
it: unit and integration tests, the example DAGs with deprecation warnings as errors, and Airflow's own provider manager
with the connection type, its form and the hook.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

#: (line of Airflow, Python). Airflow 2.11 ends at Python 3.12.
CELLS = (
    ("2.11", "3.11"),
    ("3.0", "3.11"),
    ("3.1", "3.11"),
    ("3.2", "3.11"),
    ("3.3", "3.11"),
    ("3.3", "3.12"),
    ("3.3", "3.13"),
)
#: By which tag the oldest and the newest Airflow are asked for, each on one Python.
TAGS = {CELLS[0]: ["oldest"], CELLS[4]: ["newest"]}
#: What else is installed, by line of Airflow: 3.0 shows a connection's own fields only with this provider's libraries.
EXTRAS = {"3.0": ["apache-airflow-providers-fab"]}
#: What a cell needs of the checkout besides the wheel.
NEEDED = ("tests", "dags_examples", "docs", "constraints", "scripts", "benchmarks", "pyproject.toml", "README.md")
#: What a cell runs; tests/release, on the archives and the benchmarks, is the same everywhere.
TESTS = ("tests/unit", "tests/integration", "tests/airflow", "tests/databases")
ROOT = Path(__file__).parent

nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = False
nox.options.download_python = "never"
# `make matrix` leaves such a cell out and says so; `make matrix-ends` asks for an error.
nox.options.error_on_missing_interpreters = False


@nox.session(python=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel that the cells install."""
    shutil.rmtree(ROOT / ".nox" / "dist", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--wheel", "--out-dir", ".nox/dist", external=True)


def parameters(cell: tuple[str, str]) -> nox.param:
    """Name and tags of a cell."""
    return nox.param(*cell, id=f"airflow-{cell[0]}-python-{cell[1]}", tags=TAGS.get(cell, []))


@nox.session
@nox.parametrize(("airflow", "python"), [parameters(cell) for cell in CELLS])
def cell(session: nox.Session, airflow: str) -> None:
    """Test the wheel on one line of Airflow and one version of Python; arguments are pytest's (``-n 1``, ``-m …``)."""
    wheels = sorted((ROOT / ".nox" / "dist").glob("*.whl"))
    if not wheels:
        session.error("there is no wheel: run the session wheel first")
    constraints = ROOT / "constraints" / f"airflow-{airflow}.txt"
    session.install("--constraint", str(constraints), f"{wheels[-1]}[dev]", "apache-airflow", *EXTRAS.get(airflow, ()))
    check = "import sys, airflow; print(airflow.__version__); sys.exit(not airflow.__version__.startswith(sys.argv[1]))"
    home = str(Path(session.create_tmp()).resolve())
    session.run("python", "-c", check, f"{airflow}.", env={"AIRFLOW_HOME": home}, silent=False)

    # Away from the checkout, so that what is tested is what is installed.
    place = Path(home) / "project"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy(source, place / name)
    where = "import airflow_provider_hotmart as p, pathlib, sys; sys.exit('site-packages' not in p.__file__)"
    chosen = any(argument.startswith("tests/") for argument in session.posargs)
    arguments = ["-n", "2", *(() if chosen else TESTS), *session.posargs]
    with session.chdir(place):
        session.run("python", "-c", where)
        session.run("pytest", "-p", "no:cacheprovider", *arguments)
