"""Blocks of code in Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: MyST's directives that look like blocks of code. They are checked where the site is built.
DIRECTIVES = ("{container}", "{eval-rst}", "{fields}", "{include}", "{literalinclude}", "{raw}", "{toctree}")
_FENCE = re.compile(r"^(`{3,})\s*(\S*)")
_SKIP = re.compile(r"^<!-- test: skip because (.{10,}) -->$")


@dataclass(frozen=True)
class Block:
    """
    A fenced block.

    :param page: name of the page, relative to the checkout.
    :param line: number of its first line.
    :param language: what stands behind the fence.
    :param text: its lines.
    :param argument: what stands behind the language.
    """

    page: str
    line: int
    language: str
    text: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page whose code is executed."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """The page's name, relative to the checkout."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path, *, skipped: bool = False) -> list[Block]:
    """The page's blocks, but those that say why they are not executed; or only those."""
    return list(_blocks(page, skipped))


def _blocks(page: Path, skipped: bool) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    before = ""
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            before = lines[number] or before
            number += 1
            continue
        ticks, language = fence.groups()
        end = next(at for at in range(number + 1, len(lines)) if lines[at].rstrip() == ticks)
        if bool(_SKIP.match(before)) is skipped:
            text = "\n".join(lines[number + 1 : end]) + "\n"
            argument = lines[number].partition(language)[2].strip() if language else ""
            yield Block(name_of(page), number + 2, language, text, argument)
        before = ""
        number = end + 1
