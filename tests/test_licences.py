"""The page of licences names what is installed, and nothing that would bind users of tp-tools."""

from __future__ import annotations

import re
from email.message import Message
from importlib.metadata import Distribution
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from tools import licences

if TYPE_CHECKING:
    from os import PathLike

FREE = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "PSF-2.0"),
    *("Zlib", "LLVM-exception"),
}
"""Licences that ask for a notice at most."""


def stated(*fields: tuple[str, str]) -> str:
    """Return the licence of a package with such metadata."""

    class Package(Distribution):
        def read_text(self, filename: str) -> str | None:
            message = Message()
            for name, value in fields:
                message[name] = value
            return message.as_string() if filename == "METADATA" else None

        def locate_file(self, path: str | PathLike[str]) -> PathLike[str]:
            raise FileNotFoundError(path)

    return licences.licence(Package())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("License-Expression", "MIT AND PSF-2.0"), ("License", "other")], "MIT AND PSF-2.0"),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("License", "3-Clause BSD License")], "BSD-3-Clause"),
        (
            [
                ("License", "BSD 2-Clause License"),
                ("Classifier", "License :: OSI Approved :: BSD License"),
            ],
            "BSD-2-Clause",
        ),
        ([("License", "UNKNOWN"), ("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("License", "x" * 100)], "not stated"),
        ([], "not stated"),
    ],
)
def test_a_licence_is_read_where_packages_state_it(
    fields: list[tuple[str, str]], said: str
) -> None:
    """The expression of SPDX, else the field and the classifiers; a whole text is no name."""
    assert stated(*fields) == said


def test_the_page_names_what_comes_with_tp_tools() -> None:
    """All packages that users get, but for those that other versions need, of Python as well."""
    extras = [extra for extra in licences.EXTRAS if extra not in {"docs", "dev"}]
    page = licences.PAGE.read_text("utf-8")
    named = set(map(canonicalize_name, re.findall(r"^\| (\S+) \|", page, re.MULTILINE)))
    needed = {canonicalize_name(it.name) for it in licences.packages(tuple(extras))}
    of_older_versions = {"six", "pytz", "importlib-resources", "async-timeout"}
    assert needed - named <= of_older_versions


def test_what_comes_with_tp_tools_binds_nobody() -> None:
    """Each licence asks for a notice at most."""
    for package in licences.packages(("parquet", "report")):
        words = set(re.findall(r"[\w.-]+", package.licence)) - {"AND", "OR", "WITH"}
        assert words <= FREE, package
