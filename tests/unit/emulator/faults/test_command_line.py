"""The emulator in a terminal."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

import airflow_provider_hotmart
from airflow_provider_hotmart.emulator import Fault, HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.__main__ import main, parser
from airflow_provider_hotmart.emulator.quirks import COUNTS, MEANINGS
from airflow_provider_hotmart.emulator.service.fault_specs import parse_fault
from tests.unit.emulator.support import SALES

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_serves_until_it_is_stopped(number: signal.Signals) -> None:
    command = [
        sys.executable, "-m", "airflow_provider_hotmart.emulator", "--port", "0", "--sales", "40", "--speed", "3600",
        "--now", "2026-03-15", "--quirk", "several_values=comma", "--fault", "status:503@page=1",
    ]  # fmt: skip
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        shown = ""
        for line in running.stdout:
            shown += line
            if line.startswith("export"):
                break
        found = re.search("AIRFLOW_CONN_HOTMART_DEFAULT='(.*)'", shown)
        assert found
        connection = json.loads(found[1])
        assert connection["conn_type"] == "hotmart"
        assert f"Hotmart emulator: {connection['host']}" in shown
        token = requests.post(
            connection["extra"]["token_url"],
            auth=(connection["login"], connection["password"]),
            data={"grant_type": "client_credentials"},
            timeout=60,
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answers = [requests.get(connection["host"] + SALES, headers=headers, timeout=60) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        running.send_signal(number)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_the_emulator_runs_without_any_other_package(tmp_path: Path) -> None:
    # The package alone, wherever it is installed; -S: nothing else that is installed can be imported.
    package = Path(airflow_provider_hotmart.__file__).parent
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-S", "-m", "airflow_provider_hotmart.emulator", "--help"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_the_help_names_every_quirk_and_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert set(MEANINGS) - set(Quirks.choices()) == {"too_wide", *COUNTS}
    assert "  too_wide=DAYS\n" in shown
    assert all(f"  {name}=N\n" in shown for name in COUNTS)
    for name, values in Quirks.choices().items():
        assert f"{name}={' | '.join(str(value).lower() for value in values)}" in shown
    makers = [name for name, value in vars(Fault).items() if isinstance(value, classmethod)]
    assert len(makers) == 22
    assert all(re.search(rf"^  {name}\b", shown, re.MULTILINE) for name in makers)


@pytest.mark.parametrize(
    ("text", "name", "when"),
    [
        ("status:503:html@page=2,times=3", "status_503", {"page": 2, "times": 3}),
        ("stall:1.5@path=/products", "stall", {"path": "/products"}),
        ("shift:-1@last_page,after=4", "shift", {"last_page": True, "after": 4}),
        ("cut_short:chunked@times=always", "cut_short", {"times": None}),
        ("empty", "empty", {}),
        ("row:nan:2", "row", {}),
        ("body:nonsense:418@page=2", "body", {"page": 2}),
    ],
)
def test_a_fault_can_be_written_in_words(text: str, name: str, when: dict[str, Any]) -> None:
    spec = parse_fault(text)
    assert (spec.fault.name, spec.when) == (name, when)


@pytest.mark.parametrize(
    "text", ["flood", "status", "status:x", "stall", "empty:1", "empty@page=x", "empty@moon=1", "row:x"]
)
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no such fault|is not|not a condition"):
        parse_fault(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quirk", "order=random"],
        ["--quirk", "max_page_size=0"],
        ["--quirk", "colour=red"],
        ["--fault", "flood"],
        ["--now", "yesterday"],
    ],
)
def test_a_wrong_option_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert arguments[1].partition("=")[2] in capsys.readouterr().err


def test_a_port_in_use_is_explained(hotmart: HotmartEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main(["--port", hotmart.url.rpartition(":")[2], "--sales", "0"]) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "cannot be opened" in capsys.readouterr().err
