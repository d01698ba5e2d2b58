"""Colours of the page: parts of one chart can be told apart, and text on them can be read."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tp_tools.reporting import gaps, gpu_time, kernels, page, strip_cells, verdict

CSS = Path(page.__file__).with_name("page.css").read_text()
CHARTS = {
    "verdict": [color for _, _, color in verdict.PARTS],
    "gpu_time": [color for _, _, color in gpu_time.SPLIT],
    "strip": [color for _, _, color in strip_cells.PARTS],
    "gaps": [color for _, _, color, _ in gaps.CAUSES.values()],
    "kernels": [color for _, color in kernels.KINDS.values()],
}
LEAST_DISTANCE = 20
"""CIE76 distance of two colours in L*a*b*; about 2.3 can just be seen."""

LEAST_CONTRAST = 4.5
"""Contrast of text by WCAG 2.1, level AA."""


def palette(scheme: str) -> dict[str, tuple[float, ...]]:
    """The linear red, green and blue of each name, 0 to 1."""
    light, dark = CSS.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): #(\w{6});", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): #(\w{6});", dark))
    return {name: tuple(map(linear, bytes.fromhex(value))) for name, value in found.items()}


def linear(byte: int) -> float:
    """Take the gamma of sRGB away."""
    value = byte / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def luminance(color: tuple[float, ...]) -> float:
    """Y of CIE XYZ."""
    return sum(part * weight for part, weight in zip(color, (0.2126, 0.7152, 0.0722), strict=True))


def lab(color: tuple[float, ...]) -> tuple[float, float, float]:
    """L*a*b* with the white point D65."""
    red, green, blue = color
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (
        it ** (1 / 3) if it > 0.008856 else 7.787 * it + 16 / 116 for it in (x, luminance(color), z)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chart", CHARTS)
def test_parts_of_a_chart_differ(chart: str, scheme: str) -> None:
    """No two parts that stand side by side have colours that look alike."""
    colors = palette(scheme)
    names = dict.fromkeys(it[6:-1] for it in CHARTS[chart])
    alike = [
        (a, b)
        for a, b in itertools.combinations(names, 2)
        if sum((x - y) ** 2 for x, y in zip(lab(colors[a]), lab(colors[b]), strict=True))
        < LEAST_DISTANCE**2
    ]
    assert not alike


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_on_bars_can_be_read(scheme: str) -> None:
    """White text on the colours that carry it has the contrast of WCAG; pale ones carry none."""
    colors = palette(scheme)
    pale = {"idle", "unknown"}
    for name in {it[6:-1] for them in CHARTS.values() for it in them} - pale:
        contrast = (luminance(colors["on-bar"]) + 0.05) / (luminance(colors[name]) + 0.05)
        assert contrast >= LEAST_CONTRAST, name
