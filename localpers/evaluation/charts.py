"""Charts as inline SVG: no script, no fetched resource, colours from the page's own styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from localpers.evaluation.bootstrap import Interval

WIDTH = 640
LABEL = 170
ROW = 30
MARGIN = 14
_TICKS = 5
_ALIKE = 1e-9
"""Values that differ by less count as one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart: `tuned` and `control` decide its colour."""

    label: str
    interval: Interval
    tuned: bool = False
    control: bool = False


def bars(rows: Sequence[Bar], title: str, digits: int) -> Markup:
    """Horizontal points with their intervals, one row each, on an axis that spans them all."""
    low = min(row.interval.low for row in rows)
    high = max(row.interval.high for row in rows)
    pad = 0.08 * _span(low, high)
    axis = _Axis(max(0.0, low - pad) if low >= 0 else low - pad, high + pad, LABEL, WIDTH - 64)
    height = ROW * len(rows) + 34
    parts = [_open(WIDTH, height, title), *_grid(axis, ROW * len(rows) + 6, digits)]
    for number, row in enumerate(rows):
        y = ROW * number + ROW / 2 + 4
        style = "control" if row.control else "tuned" if row.tuned else "base"
        left, at, right = (
            axis.at(value) for value in (row.interval.low, row.interval.value, row.interval.high)
        )
        parts += [
            _text(LABEL - 10, y + 4, row.label, "end"),
            f'<line class="{style}" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>',
            f'<line class="{style}" x1="{left:.1f}" x2="{left:.1f}" y1="{y - 5}" y2="{y + 5}"/>',
            f'<line class="{style}" x1="{right:.1f}" x2="{right:.1f}" y1="{y - 5}" y2="{y + 5}"/>',
            f'<circle class="{style}" cx="{at:.1f}" cy="{y}" r="5"/>',
            _text(WIDTH - 4, y + 4, f"{row.interval.value:.{digits}f}", "end", "value"),
        ]
    return Markup("".join([*parts, "</svg>"]))


def curve(values: Sequence[float], title: str, x_label: str) -> Markup:
    """A line through the values in order, with their running mean drawn strong."""
    height, bottom, left = 220, 180, 54
    across = _Axis(1, max(len(values), 2), left, WIDTH - MARGIN)
    up = _upward(values, bottom)
    smooth = _running_mean(values)
    parts = [_open(WIDTH, height, title), *_levels(up, left)]
    for series, style in ((values, "faint"), (smooth, "strong")):
        points = " ".join(f"{across.at(n):.1f},{up.at(v):.1f}" for n, v in enumerate(series, 1))
        parts.append(f'<polyline class="{style}" points="{points}"/>')
    if len(values) == 1:
        parts.append(f'<circle class="tuned" cx="{left}" cy="{up.at(values[0]):.1f}" r="4"/>')
    parts += [
        _text(left, bottom + 22, "1"),
        _text(WIDTH - MARGIN, bottom + 22, str(len(values)), "end"),
        _text((left + WIDTH) / 2, bottom + 22, x_label, "middle"),
    ]
    return Markup("".join([*parts, "</svg>"]))


def scatter(points: Sequence[tuple[float, float, str]], title: str, x_label: str) -> Markup:
    """(x, y as a fraction, label) as dots; y is shown in per cent, with a line at zero."""
    height, bottom, left = 220, 180, 54
    across = _Axis(0, max(x for x, _, _ in points) * 1.15 or 1.0, left, WIDTH - MARGIN)
    up = _upward([0.0, *(100 * y for _, y, _ in points)], bottom)
    zero = up.at(0.0)
    parts = [
        _open(WIDTH, height, title),
        *_levels(up, left, "%"),
        f'<line class="zero" x1="{left}" x2="{WIDTH - MARGIN}" y1="{zero:.1f}" y2="{zero:.1f}"/>',
    ]
    for x, y, label in points:
        at, height_at = across.at(x), up.at(100 * y)
        parts += [
            f'<circle class="tuned" cx="{at:.1f}" cy="{height_at:.1f}" r="5">'
            f"<title>{Markup.escape(label)}</title></circle>",
            _text(at, height_at - 10, f"{x:,.0f}", "middle"),
        ]
    parts.append(_text((left + WIDTH) / 2, bottom + 26, x_label, "middle"))
    return Markup("".join([*parts, "</svg>"]))


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within, a few of them."""
        rough = (self.high - self.low) / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
        first = math.ceil(self.low / step)
        return [step * n for n in range(first, math.floor(self.high / step) + 1)]


def _span(low: float, high: float) -> float:
    span = high - low
    return span if span > _ALIKE * abs(high) else abs(high) or 1.0


def _upward(values: Sequence[float], bottom: float) -> _Axis:
    low, high = min(values), max(values)
    pad = 0.12 * _span(low, high)
    return _Axis(low - pad, high + pad, bottom, 12)


def _running_mean(values: Sequence[float]) -> list[float]:
    reach = max(1, len(values) // 20)
    windows = [values[max(0, n - reach) : n + reach + 1] for n in range(len(values))]
    return [sum(window) / len(window) for window in windows]


def _grid(axis: _Axis, bottom: float, digits: int) -> list[str]:
    parts = []
    for value in axis.ticks():
        x = axis.at(value)
        parts += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{bottom}"/>',
            _text(x, bottom + 18, f"{value:.{digits}f}", "middle"),
        ]
    return parts


def _levels(axis: _Axis, left: float, unit: str = "") -> list[str]:
    parts = []
    for value in axis.ticks():
        y = axis.at(value)
        parts += [
            f'<line class="grid" x1="{left}" x2="{WIDTH - MARGIN}" y1="{y:.1f}" y2="{y:.1f}"/>',
            _text(left - 8, y + 4, f"{value:.{0 if unit else 2}f}{unit}", "end"),
        ]
    return parts


def _open(width: float, height: float, title: str) -> str:
    name = Markup.escape(title)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{Markup.escape(text)}</text>"
    )
