"""List the licences of all that tp-tools stands on: `python -m tools.licences` writes the page.

They are those that the installed packages state in their metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"
EXTRAS = ("parquet", "report", "s3", "gs", "hf", "http", "ray", "docs", "dev")
"""Extras of tp-tools, those for users first."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # python-dateutil
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "PSF": "PSF-2.0",
}
"""Identifiers of SPDX by other spellings; "BSD" is what some packages leave open."""

_LONGEST_NAME = 60
"""Characters up to which the field `License` is a name; longer, it is the text."""

_HEAD = """\
# Licences

tp-tools is under Apache-2.0. It stands on these packages, whose metadata state these licences
(newest versions, Python 3.11 on Linux; others need a few more or fewer). `python -m tools.licences`
writes this page.

"""


@dataclass(frozen=True)
class Package:
    """A package that is installed.

    Attributes:
        name: as it calls itself.
        licence: an expression of SPDX where it states one.
        extra: the extra of tp-tools with which it comes; empty if always.
    """

    name: str
    licence: str
    extra: str


def packages(extras: tuple[str, ...] = EXTRAS) -> list[Package]:
    """List what is installed with tp-tools: what always comes first, then by extra and name.

    Args:
        extras: of tp-tools; packages that are not installed are left out.
    """
    found: dict[str, Package] = {}
    for extra in ("", *extras):
        for name, package in _needed(extra).items():
            found.setdefault(name, Package(package.name, licence(package), extra))
    return [package for name, package in found.items() if name != "tp-tools"]


def _needed(extra: str) -> dict[str, Distribution]:
    """Return the packages that tp-tools needs with an extra, in the order of their names."""
    todo, done, found = [("tp-tools", extra)], set[tuple[str, str]](), dict[str, Distribution]()
    while todo:
        name, of = todo.pop()
        if (name, of) in done:
            continue
        done.add((name, of))
        try:
            found[canonicalize_name(name)] = distribution(name)
        except PackageNotFoundError:
            continue
        for line in distribution(name).requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": of}):
                todo += [(needed.name, it) for it in ("", *needed.extras)]
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """Return the licence that a package states; "not stated" if it states none."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = metadata.get_all("Classifier") or []
    classified = [it.rpartition(" :: ")[2] for it in classifiers if it.startswith("License ::")]
    named = str(metadata.get("License") or "").strip()
    if len(named) > _LONGEST_NAME or named == "UNKNOWN":
        named = ""
    stated = {SPDX.get(it, it) for it in (named, *classified) if it and it != "DFSG approved"}
    if len(stated) > 1:
        stated.discard("BSD")
    return " AND ".join(sorted(stated)) or "not stated"


def page(listed: list[Package]) -> str:
    """Write the page."""
    titles = {"": "Always", "dev": "For development alone: `[dev]`"}
    parts = []
    for extra in dict.fromkeys(package.extra for package in listed):
        rows = [f"| {it.name} | {it.licence} |" for it in listed if it.extra == extra]
        title = titles.get(extra, f"With `[{extra}]`")
        parts.append("\n".join([f"## {title}\n", "| package | licence |", "|---|---|", *rows]))
    return _HEAD + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(packages()), "utf-8")
