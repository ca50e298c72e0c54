"""Half-open windows of time: planning and cutting. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

#: Seconds; sales are dated in whole ones.
MIN_WINDOW = 1
#: Seconds. Hotmart refuses a start (or a length, nobody knows) of more than 730 days.
MAX_WINDOW = 700 * 86400
#: How full a page is expected to be, so that most windows fit on one.
FILL = 0.9
#: More parts than these are cut in two steps, since sales are rarely even.
MAX_PARTS_AT_ONCE = 40
#: However many rows are announced.
MAX_PARTS = 64


@dataclass(frozen=True, order=True)
class Window:
    """
    Half-open stretch of time ``[start, end)``.

    :param start: whole seconds since the epoch.
    :param end: whole seconds since the epoch.
    """

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        return self.end - self.start

    @property
    def can_split(self) -> bool:
        """Whether smaller windows may still be asked for."""
        return self.seconds >= 2 * MIN_WINDOW

    def bounds(self) -> tuple[str, str]:
        """
        Give the window as Hotmart takes it: epoch milliseconds, one before each end, never negative.

        Hotmart's own time stamps are whole seconds, so this selects ``[start, end)`` whether Hotmart counts
        its bounds in or out, and neighbouring windows neither overlap nor leave a gap.
        """
        return str(max(self.start * 1000 - 1, 0)), str(max(self.end * 1000 - 1, 0))

    def split(self, parts: int = 2) -> list[Window]:
        """
        Cut into equal neighbouring windows, none shorter than the smallest allowed.

        :param parts: how many; fewer come back where the window is too short for so many.
        """
        parts = max(1, min(parts, self.seconds // MIN_WINDOW))
        edges = [self.start + self.seconds * i // parts for i in range(parts + 1)]
        return [Window(a, b) for a, b in pairwise(edges)]

    def pieces(self) -> list[Window]:
        """Cut into windows that are short enough for Hotmart."""
        return self.split(math.ceil(self.seconds / MAX_WINDOW))

    def isoformat(self) -> tuple[str, str]:
        """Give start and end as ISO 8601 in UTC."""
        return iso(self.start), iso(self.end)

    def __str__(self) -> str:
        return "[{}, {})".format(*self.isoformat())


def iso(epoch: int) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def parts_for(total: int | None, page_rows: int) -> int:
    """
    Tell into how many equal windows to cut a window that does not fit on one page.

    :param total: rows in the window; None where Hotmart does not say.
    :param page_rows: rows that came on a full page.
    """
    if total is None:
        return 2
    parts = math.ceil(min(total, MAX_PARTS**2 * page_rows) / (FILL * page_rows))
    if parts > MAX_PARTS_AT_ONCE:
        parts = math.ceil(math.sqrt(parts))
    return min(max(parts, 2), MAX_PARTS)
