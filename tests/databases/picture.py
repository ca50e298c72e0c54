"""The picture of the report's third answer that the documentation shows."""

from __future__ import annotations

from collections.abc import Sequence

#: Name, colour and opacity.
BARS = (("new", "#f04e23", 1.0), ("returning", "#f04e23", 0.5), ("lost", "currentColor", 0.35))
#: In units of the drawing: one subscriber's height, and from one month to the next.
UNIT, STEP = 8, 58


def subscribers_picture(months: Sequence[tuple[str, int, int, int]]) -> str:
    """
    Draw a bar of new and returning subscribers above a line, and one of lost ones below it, for each month.

    :param months: month, new, returning, lost
    :return: SVG
    """
    title = f"New, returning and lost subscribers by month, {months[0][0]} to {months[-1][0]}"
    line = 60 + UNIT * max(new + returning for _, new, returning, _ in months)
    bottom = line + 40 + UNIT * max(lost for *_, lost in months)
    width = 60 + STEP * len(months)
    look = 'font-family="sans-serif" font-size="12" fill="currentColor"'
    box = f'viewBox="0 0 {width} {bottom + 10}" role="img" aria-labelledby="report-title"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {look}>',
        f'  <title id="report-title">{title}</title>',
    ]
    for place, (name, colour, opacity) in enumerate(BARS):
        left = 40 + 110 * place
        parts.append(f'  <rect x="{left}" y="12" width="14" height="14" fill="{colour}" fill-opacity="{opacity}"/>')
        parts.append(f'  <text x="{left + 20}" y="23">{name}</text>')
    parts.append('  <g text-anchor="middle">')
    for place, (month, *counts) in enumerate(months):
        left, above = 40 + STEP * place, line
        for (name, colour, opacity), count in zip(BARS, counts, strict=True):
            height = count * UNIT
            top = line if name == "lost" else above - height
            above = top
            if count:
                bar = f'x="{left}" y="{top}" width="{STEP - 18}" height="{height}"'
                parts.append(f'    <rect {bar} fill="{colour}" fill-opacity="{opacity}"/>')
        middle = left + (STEP - 18) // 2
        new, returning, lost = counts
        parts.append(f'    <text x="{middle}" y="{line - (new + returning) * UNIT - 5}">{new + returning}</text>')
        parts.append(f'    <text x="{middle}" y="{line + lost * UNIT + 14}">{lost}</text>')
        parts.append(f'    <text x="{middle}" y="{bottom}">{month}</text>')
    parts += ["  </g>", f'  <path d="M30 {line}H{width - 20}" stroke="currentColor"/>', "</svg>", ""]
    return "\n".join(parts)
