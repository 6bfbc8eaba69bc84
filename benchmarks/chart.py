"""Draw bar charts as an SVG file, for light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, LABEL, VALUE = 760, 170, 90
"""The width of the chart, of the labels on the left, and of the values on the right."""

BAR, GAP, TITLE = 13, 10, 46
"""The heights of a bar, of the space between two groups, and of a title with its legend."""

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .dim { fill: #59636e }
  .c0 { fill: #0969da } .c1 { fill: #bf8700 } .c2 { fill: #8250df } .c3 { fill: #818b98 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .dim { fill: #9198a1 }
    .c0 { fill: #4493f8 } .c1 { fill: #d29922 } .c2 { fill: #ab7df8 } .c3 { fill: #656c76 }
  }
  text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px }
"""


@dataclass(frozen=True)
class Panel:
    """Bars in groups, on a scale of their own.

    :param title: what is shown, with the unit
    :param series: the names of the bars of each group
    :param groups: for each label, the values; None for none
    :param unit: the unit after each value
    """

    title: str
    series: tuple[str, ...]
    groups: dict[str, tuple[float | None, ...]]
    unit: str = "ms"


def draw(title: str, panels: list[Panel]) -> str:
    """Return the SVG of some panels, one below the other.

    :param title: the alternative text
    """
    parts: list[str] = []
    top = 12.0
    for panel in panels:
        drawn, top = draw_panel(panel, top)
        parts += drawn
    height = round(top + 4)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def draw_panel(panel: Panel, top: float) -> tuple[list[str], float]:
    """Return the elements of a panel, and where it ends.

    :param panel: the panel
    :param top: where it begins
    """
    parts = [text(16, top + 14, panel.title, "text title")]
    left = float(LABEL)
    for number, name in enumerate(panel.series):
        parts.append(
            f'<rect class="c{number}" x="{left:.0f}" y="{top + 23:.0f}" width="10" height="10" rx="2"/>'
        )
        parts.append(text(left + 15, top + 32, name, "dim"))
        left += 40 + 6.6 * len(name)
    top += TITLE
    longest = max((value or 0 for values in panel.groups.values() for value in values), default=0) or 1
    for label, values in panel.groups.items():
        middle = top + BAR * len(values) / 2 + 4
        parts.append(text(LABEL - 10, middle, label, "text", "end"))
        for number, value in enumerate(values):
            if value is not None:
                width = max(2.0, (WIDTH - LABEL - VALUE) * value / longest)
                parts.append(
                    f'<rect class="c{number}" x="{LABEL}" y="{top:.0f}" width="{width:.1f}" '
                    f'height="{BAR - 2}" rx="2"/>'
                )
                parts.append(
                    text(LABEL + width + 6, top + BAR - 3, f"{number_of(value)} {panel.unit}", "dim")
                )
            top += BAR
        top += GAP
    return parts, top + 6


def text(x: float, y: float, content: str, style: str, anchor: str = "start") -> str:
    """Return a text."""
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(content)}</text>'


def number_of(value: float) -> str:
    """Return a number with at most one decimal place, and thousands separated."""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"
