"""What is uploaded holds what it should and nothing else, and works where it is installed."""

from __future__ import annotations

import configparser
import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import airflow_provider_hotmart
from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.__main__ import connection

ROOT = Path(__file__).resolve().parents[2]
NAME = f"airflow_provider_hotmart-{airflow_provider_hotmart.__version__}"
BIN = Path(sys.executable).parent
#: Kilobytes that a picture in the documentation may have.
LARGEST_PICTURE = 300
LONGEST = 600
AIRFLOW = version("apache-airflow")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_", "PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def project_files(*folders: str) -> set[str]:
    """Files of the checkout, without what tools leave in it."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both archives as ``make build`` does: the wheel out of the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(built: Path) -> Iterator[tarfile.TarFile]:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        yield archive


def metadata_of(wheel: zipfile.ZipFile) -> email.message.Message:
    return email.message_from_string(wheel.read(f"{NAME}.dist-info/METADATA").decode())


def test_nothing_but_the_two_archives_is_built(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"]


def test_the_archives_pass_the_check_of_the_package_index(built: Path) -> None:
    run(BIN / "twine", "check", "--strict", *sorted(built.iterdir()), cwd=built)


def test_the_wheel_holds_the_package_and_its_metadata_only(wheel: zipfile.ZipFile) -> None:
    package = project_files("airflow_provider_hotmart")
    assert "airflow_provider_hotmart/py.typed" in package
    assert {Path(name).suffix for name in package} == {".py", ".typed"}
    metadata = {f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    assert set(wheel.namelist()) == package | metadata | {f"{NAME}.dist-info/licenses/LICENSE"}


def test_the_wheel_tells_airflow_where_its_metadata_are(wheel: zipfile.ZipFile) -> None:
    points = configparser.ConfigParser()
    points.read_string(wheel.read(f"{NAME}.dist-info/entry_points.txt").decode())
    assert dict(points["apache_airflow_provider"]) == {
        "provider_info": "airflow_provider_hotmart.get_provider_info:get_provider_info"
    }
    assert dict(points["airflow.plugins"]) == {"hotmart": "airflow_provider_hotmart.plugin:HotmartPlugin"}
    assert sorted(points.sections()) == ["airflow.plugins", "apache_airflow_provider"]


def test_the_metadata_are_complete(wheel: zipfile.ZipFile) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Name"] == "airflow-provider-hotmart"
    assert metadata["Version"] == airflow_provider_hotmart.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    needed = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    names = sorted(re.split(r"[<>=\[;]", one)[0] for one in needed)
    assert names == ["apache-airflow", "apache-airflow-providers-common-compat", "msgspec", "requests"]
    # A newer Airflow is not locked out.
    assert not any("<" in one for one in needed)


def dead_links(description: str) -> list[str]:
    """Where a description's links lead that lead nowhere on a package index."""
    return re.findall(r"\]\((?!https://)([^)]+)\)", description)


def test_the_description_is_the_readme_without_links_that_lead_nowhere(wheel: zipfile.ZipFile) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    description = str(metadata_of(wheel).get_payload())
    assert dead_links(readme)
    assert dead_links(description) == []
    assert "![" not in description
    lines = description.strip().splitlines()
    kept = [line for line in readme.strip().splitlines() if not dead_links(line)]
    assert [line for line in kept if line in lines] == kept
    for text in re.findall(r"(?<!!)\[([^\]]+)\]\((?!https://)", readme):
        assert text in description


def test_the_source_archive_holds_the_listed_files_only(sdist: tarfile.TarFile) -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = listed["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    folders = [name for name in listed if (ROOT / name).is_dir()]
    files = {name for name in listed if name not in folders}
    assert {name for name in files if not (ROOT / name).is_file()} == set()
    expected = project_files(*folders) | files | {"pyproject.toml", ".gitignore", "PKG-INFO"}
    inside = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert inside == expected


def test_the_source_archive_holds_nothing_that_tools_leave_behind(sdist: tarfile.TarFile) -> None:
    usual = re.compile(r"\.(cfg|css|html|json|md|py|sh|svg|png|toml|txt|typed|ya?ml)$")
    special = {"Makefile", "LICENSE", "PKG-INFO", ".gitignore"}
    for member in sdist.getmembers():
        path = Path(member.name)
        assert member.isfile(), f"{member.name} is no plain file"
        assert path.parts[0] == NAME
        assert usual.search(path.name) or path.name in special, f"what is {member.name}?"
        assert not {".venv", "__pycache__", "site", "dist", ".git"} & set(path.parts), member.name
        if path.suffix in (".png", ".svg"):
            assert path.parts[1] == "docs", f"{member.name} is a picture outside the documentation"
            assert member.size <= LARGEST_PICTURE * 1024, f"{member.name} is a picture of {member.size} bytes"


def test_the_changelog_has_the_version(sdist: tarfile.TarFile) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+)\](?: - (\d{4}-\d\d-\d\d|unreleased))?$", changelog, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert versions[1][0] == airflow_provider_hotmart.__version__


def gaps(changelog: str, metadata: email.message.Message) -> list[str]:
    """What a version that is named and dated for release still lacks."""
    if not re.search(rf"^## \[{re.escape(metadata['Version'])}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        return []
    return [] if metadata["Project-URL"] else ["pyproject.toml has no [project.urls]"]


def test_a_version_to_be_released_has_addresses_that_hold_outside_the_repository(wheel: zipfile.ZipFile) -> None:
    assert gaps((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), metadata_of(wheel)) == []


def test_a_version_without_addresses_would_be_held_back() -> None:
    metadata = email.message_from_string("Version: 1.0.0\n\n")
    assert gaps("## [1.0.0] - unreleased", metadata) == []
    assert gaps("## [1.0.0] - 2026-01-02", metadata) == ["pyproject.toml has no [project.urls]"]


def test_the_registry_file_and_the_reference_name_all_that_the_provider_has() -> None:
    from airflow_provider_hotmart.get_provider_info import get_provider_info

    registry = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text(encoding="utf-8"))
    reference = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/reference").glob("*.md"))
    info = get_provider_info()
    assert registry["package-name"] == info["package-name"]
    assert registry["display-name"] == info["name"]
    for kind in ("operators", "sensors", "triggers", "transfers", "hooks"):
        named = {entry["module"] for entry in registry[kind]}
        modules = {module for entry in info[kind] for module in entry.get("python-modules") or [entry["python-module"]]}
        assert named == {
            f"{module}.{name}"
            for module in modules
            for name in re.findall(
                r"^class (Hotmart\w+)", (ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8"), re.MULTILINE
            )
        }
        assert all(f"autoclass:: {name}\n" in reference for name in named)


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel by its file name into a new environment, far from the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    constraints = ROOT / "constraints" / f"airflow-{'.'.join(AIRFLOW.split('.')[:2])}.txt"
    if not constraints.exists():
        pytest.skip(f"there are no pinned versions for Airflow {AIRFLOW}")
    pinned = [line for line in constraints.read_text(encoding="utf-8").splitlines() if "hotmart" not in line]
    (folder / "constraints.txt").write_text("\n".join(pinned), encoding="utf-8")
    shutil.copy(built / f"{NAME}-py3-none-any.whl", folder)
    uv = BIN / "uv"
    if uv.exists():
        run(uv, "venv", "--quiet", "--python", sys.executable, "venv", cwd=folder)
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", "venv/bin/python"]
    else:
        run(sys.executable, "-m", "venv", "venv", cwd=folder)
        install = ["venv/bin/python", "-m", "pip", "install", "--quiet"]
    run(*install, "--constraint", "constraints.txt", f"./{NAME}-py3-none-any.whl", cwd=folder, UV_SYSTEM_CERTS="true")
    return folder


@pytest.fixture(scope="module")
def airflow(installed: Path) -> dict[str, str]:
    """Variables of an Airflow of its own, with the example DAGs of the documentation in it."""
    dags = installed / "dags"
    dags.mkdir()
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    examples = re.findall(r"\{literalinclude\} (\S+)", page)
    assert len(examples) >= 5
    for example in examples:
        if "airflow.sdk" not in (ROOT / "docs" / example).read_text(encoding="utf-8") or AIRFLOW >= "3":
            shutil.copy(ROOT / "docs" / example, dags)
    variables = {
        "PATH": f"{installed / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "NO_PROXY": "*",
        "AIRFLOW_HOME": str(installed / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW_VAR_HOTMART_DESTINATION": (installed / "data").as_uri(),
    }
    run("venv/bin/airflow", "db", "migrate", cwd=installed, **variables)
    return variables


@pytest.mark.airflow
def test_the_installed_wheel_shows_in_airflow(installed: Path, airflow: dict[str, str]) -> None:
    ask = "import airflow_provider_hotmart as it; print(it.__file__)"
    where = run("venv/bin/python", "-c", ask, cwd=installed, **airflow)
    assert Path(where.strip()).is_relative_to(installed / "venv")
    providers = run("venv/bin/airflow", "providers", "list", "--output", "plain", cwd=installed, **airflow)
    [row] = [line.split() for line in providers.splitlines() if line.startswith("airflow-provider-hotmart ")]
    assert row[-1] == airflow_provider_hotmart.__version__


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("dag", "files"),
    [
        ("hotmart_daily_to_object_storage", {"participants", "products"}),
        ("hotmart_refunds_to_xcom", set()),
        ("hotmart_new_buyers", {"new_buyers"}),
        ("hotmart_backfill", {"backfill"}),
    ],
)
def test_the_examples_of_the_documentation_run_on_the_installed_wheel(
    dag: str, files: set[str], installed: Path, airflow: dict[str, str]
) -> None:
    with HotmartEmulator(sales=300, days=20, rate_limit=10_000_000) as hotmart:
        account = {"AIRFLOW_CONN_HOTMART_DEFAULT": connection(hotmart)}
        run("venv/bin/airflow", "dags", "test", dag, cwd=installed, **airflow, **account)
    data = installed / "data"
    written = {path.relative_to(data).parts[0] for path in data.rglob("*.jsonl.gz")}
    assert files <= written


@pytest.mark.airflow
def test_every_example_of_the_documentation_loads_on_the_installed_wheel(
    installed: Path, airflow: dict[str, str]
) -> None:
    load = """
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before Airflow 3.1
    from airflow.models.dagbag import DagBag
bag = DagBag("dags")
print(*bag.import_errors.values())
print(*sorted(bag.dags))
"""
    *_, errors, names = run("venv/bin/python", "-c", load, cwd=installed, **airflow).split("\n")[:-1]
    assert errors == ""
    assert names.split() == sorted(path.stem for path in (installed / "dags").glob("*.py"))
