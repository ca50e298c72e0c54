"""What a page tells its readers to type, typed as far as that is safe."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.__main__ import parser
from tests.docs.pages import ROOT, Block
from tests.docs.shapes import check_connection

EMULATOR = ["python", "-m", "airflow_provider_hotmart.emulator"]
#: Tools that a page may install, with pip and without an extra of this package.
TOOLS = ("pre-commit",)
LONGEST = 200


@dataclass
class Command:
    """
    A command, and what a page shows of its output.

    :param words: as a shell would split it.
    :param output: the lines below it.
    """

    words: list[str]
    output: list[str] = field(default_factory=list)


def commands_in(block: Block) -> list[Command]:
    """Read a ``console`` block: what follows a prompt is a command, the rest its output."""
    found: list[Command] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(shlex.split(line[2:], comments=True)))
        elif line.strip():
            assert found, f"{block} begins with output"
            found[-1].output.append(line)
    assert found, f"{block} has no command: write it behind a prompt, $ "
    return found


class Terminal:
    """
    Runs commands one after the other.

    :param environment: variables of its processes; ``export`` changes them.
    :param folder: where they run.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self._folder = folder
        #: DAGs that were run.
        self.ran: list[str] = []

    def type(self, command: Command) -> None:
        """Run a command, or check what can be checked of it."""
        words = [self._filled(word) for word in command.words]
        if words[:3] == EMULATOR and words[3:4] in (["sale"], ["move"]):
            self._steer(words, command.output)
        elif words[:3] == EMULATOR:
            self._emulator(words, command.output)
        elif words[0] == "airflow":
            self._airflow(words)
        elif words[0] == "export":
            self._export(words[1])
        elif words[0] == "make":
            check_make(words)
        elif words[:2] == ["pip", "install"]:
            check_pip(words[2:])
        elif words == ["pre-commit", "install"]:
            check_pre_commit()
        else:
            raise AssertionError(f"nobody has said how to check the command {shlex.join(words)!r}")

    def _filled(self, word: str) -> str:
        return re.sub(r"\$(\w+)", lambda name: self.environment[name[1]], word)

    def _export(self, assignment: str) -> None:
        name, equals, value = assignment.partition("=")
        assert equals, assignment
        if name.startswith("AIRFLOW_CONN_"):
            check_connection(value)
        else:
            self.environment[name] = value

    def _airflow(self, words: list[str]) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env=self.environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        if words[1:3] == ["dags", "test"]:
            self.ran.append(words[3])
        if words[1:] == ["providers", "list"]:
            assert "airflow-provider-hotmart" in done.stdout

    def _steer(self, words: list[str], shown: list[str]) -> None:
        """Give a running emulator the command of a page, about a sale that it has."""
        with HotmartEmulator(sales=0) as hotmart:
            sale = hotmart.add_sale(status="STARTED").transaction
            words = [sale if re.fullmatch(r"HP\d+", word) else word for word in words]
            done = subprocess.run(
                [sys.executable, *words[1:], "--url", hotmart.url],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            code = done.stdout.strip()
            asked = parser().parse_args(words[3:])
            assert {one[0] for one in hotmart.truth(asked.status)} == {code}
            assert all(re.fullmatch(r"HP\d+", line) for line in (code, *shown))

    def _emulator(self, words: list[str], shown: list[str]) -> None:
        """Start the emulator, see that it prints what the page shows, and stop it."""
        if "--help" in words:
            subprocess.run([sys.executable, *words[1:]], env=self.environment, check=True, capture_output=True)
            return
        options = parser().parse_args(words[3:])
        process = subprocess.Popen(
            # The last one of an option counts: the port of the page may be taken.
            [sys.executable, "-u", *words[1:], "--port", "0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            printed = list(_until_connection(process))
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        assert process.returncode == 0
        port = printed[0].rpartition(":")[2]
        printed = [line.replace(port, str(options.port)) for line in printed]
        for line in shown:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert any(re.fullmatch(pattern, one) for one in printed), (line, printed)


def _until_connection(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.rstrip("\n")
        if line.startswith("export "):
            return
    raise AssertionError("the emulator ended before it was ready")


def check_make(words: list[str]) -> None:
    """See that the target exists, and that make understands the rest."""
    done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_pip(arguments: list[str]) -> None:
    """See that there is such a package, with such extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for argument in arguments:
        if argument in TOOLS:
            continue
        asked = re.fullmatch(r"([a-z-]+)(?:\[([a-z0-9,]+)\])?", argument)
        assert asked, argument
        assert asked[1] == project["name"]
        assert set((asked[2] or "s3").split(",")) <= set(project["optional-dependencies"])


def check_compose(text: str) -> None:
    """See that the emulator of a Compose file starts as it says, and that the connection leads to it."""
    services = yaml.safe_load(text)["services"]
    ((name, service),) = [(name, one) for name, one in services.items() if "emulator" in one.get("command", "")]
    script = shlex.split(service["command"])[2]
    install, _, start = script.partition("&&")
    assert install.split()[:3] == ["pip", "install", "--no-deps"]
    check_pip(install.split()[3:])
    words = start.split()
    assert words[:4] == ["exec", *EMULATOR]
    options = parser().parse_args(words[4:])
    assert options.host == "0.0.0.0"
    for other in services.values():
        if "AIRFLOW_CONN_HOTMART_DEFAULT" in other.get("environment", {}):
            connection = other["environment"]["AIRFLOW_CONN_HOTMART_DEFAULT"]
            check_connection(connection)
            fields = json.loads(connection)
            assert fields["host"] == f"http://{name}:{options.port}"
            assert (fields["login"], fields["password"]) == (options.client_id, options.client_secret)


def check_pre_commit() -> None:
    """See that each hook runs a tool that is installed."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert hooks
    for hook in hooks:
        tool = Path(hook["entry"].split()[0])
        assert tool.parent.as_posix() == ".venv/bin"
        assert (Path(sys.executable).parent / tool.name).exists(), tool
