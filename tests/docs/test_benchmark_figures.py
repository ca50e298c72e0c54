"""The figures that the README shows are those that the benchmark has written."""

from __future__ import annotations

from tests.docs.pages import ROOT

RESULTS = ROOT / "benchmarks" / "results.md"
#: Column of the shown table: the measurement in the results that it comes from, and its column there.
SOURCES = {
    "pages a minute": ("At the limit:", "pages / minute"),
    "of the limit": ("At the limit:", "used"),
    "participants per CPU second": ("Processor and memory:", "participants / CPU s"),
    "peak memory, MB": ("Processor and memory:", "peak MB"),
}


def tables(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """Every table below a heading: heading, name of the row, name of the column, cell."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    heading, columns = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            heading, columns = line.lstrip("# "), []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not columns:
                columns = cells
                found[heading] = {}
            elif set(line) - set("|-: "):
                found[heading][cells[0]] = dict(zip(columns, cells, strict=True))
        else:
            columns = []
    return found


def test_what_the_readme_says_of_completeness_is_what_was_found() -> None:
    results = tables(RESULTS.read_text(encoding="utf-8"))
    shown = tables((ROOT / "README.md").read_text(encoding="utf-8"))["How complete"]
    [found] = [table for heading, table in results.items() if "another order at every call" in heading]
    assert len(shown) >= 3
    for row, cells in shown.items():
        for name in ("of all", "twice", "calls"):
            assert cells[name] == found[row][name], row


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    results = tables(RESULTS.read_text(encoding="utf-8"))
    shown = tables((ROOT / "README.md").read_text(encoding="utf-8"))["How fast"]
    assert len(shown) >= 4
    for row, cells in shown.items():
        for column, (title, source) in SOURCES.items():
            [measured] = [table for heading, table in results.items() if heading.startswith(title)]
            if cells[column] != "-":
                assert cells[column] == measured[row][source], f"{row}, {column}"
