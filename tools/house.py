"""Draw the packages of `tp_tools` in their layers, from the import contract in pyproject.toml.

python -m tools.house [--check]

Writes the table in CONTRIBUTING.md, between its two comments, and the picture docs/img/house.svg.
What a package is for is the first line of its docstring.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

from importlinter.api import read_configuration

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
PICTURE = ROOT / "docs" / "img" / "house.svg"
_TABLE = re.compile(r"(?<=<!-- packages -->\n).*?(?=<!-- end of packages -->)", re.DOTALL)

WIDTH, GAP, LINE, PADDING = 760, 10, 15, 9
"""Pixels: width of the picture, between boxes, height of a line of text, around text."""

CHARACTER = 6.6
"""Mean width of a character of the text, in pixels."""

BOX, EDGE, TEXT = "#eef3fa", "#7d9cc4", "#333333"


def layers() -> list[list[str]]:
    """Return the names of the packages and modules of each layer, from the top.

    Raises:
        ValueError: pyproject.toml has no layers contract, or several.
    """
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    (contract,) = (it for it in contracts if it["type"] == "layers")
    return [layer.split(" : ") for layer in contract["layers"]]


def purpose(name: str) -> str:
    """Return the first line of the docstring of a package or module of `tp_tools`."""
    path = ROOT / "tp_tools" / name
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0]


def table() -> str:
    """Return a row of Markdown per package, with the number of its layer."""
    rows = [
        f"| {number} | `{name}` | {purpose(name)} |"
        for number, names in enumerate(layers(), 1)
        for name in names
    ]
    return "\n".join(["| layer | package | is there to |", "|---|---|---|", *rows]) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table between its two comments."""
    return _TABLE.sub(lambda _: table(), page)


def picture() -> str:
    """Return the picture: a row of boxes per layer, the text of a package in its box."""
    shapes, top = [], GAP
    for names in layers():
        width = (WIDTH - GAP * (len(names) + 1)) / len(names)
        letters = int((width - 2 * PADDING) / CHARACTER)
        texts = [textwrap.wrap(purpose(name).replace("`", ""), letters) for name in names]
        height = 2 * PADDING + LINE * (1 + max(map(len, texts)))
        for place, (name, lines) in enumerate(zip(names, texts, strict=True)):
            shapes += _box(GAP + place * (width + GAP), top, (width, height), [name, *lines])
        top += height + GAP
    size = f'width="{WIDTH}" height="{top}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return "\n".join([svg, f'<rect {size} fill="white"/>', *shapes, "</svg>", ""])


def _box(left: float, top: float, size: tuple[float, float], lines: list[str]) -> list[str]:
    """Draw a box of a width and height with lines of text in it; the first line is bold."""
    width, height = size
    place = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="4"'
    shapes = [f'<rect {place} fill="{BOX}" stroke="{EDGE}"/>']
    for number, line in enumerate(lines, 1):
        weight = ' font-weight="bold"' if number == 1 else ""
        y = top + PADDING + number * LINE - 4
        shapes.append(
            f'<text x="{left + PADDING:g}" y="{y:g}" fill="{TEXT}"{weight}>{escape(line)}</text>'
        )
    return shapes


def main() -> int:
    """Write the table and the picture; with `--check` exit code 1 if they are out of date."""
    page = PAGE.read_text("utf-8")
    if "--check" in sys.argv[1:]:
        is_current = PICTURE.is_file() and PICTURE.read_text("utf-8") == picture()
        return int(with_table(page) != page or not is_current)
    PAGE.write_text(with_table(page), "utf-8")
    PICTURE.write_text(picture(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
