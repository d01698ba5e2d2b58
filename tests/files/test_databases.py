"""Databases of exports, as readers of their tables get them."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fixtures import nsys as made
from tp_tools.errors import InputError
from tp_tools.files.databases import opened

if TYPE_CHECKING:
    from pathlib import Path


def kernels(database: Path) -> int:
    """The number of kernels in a database."""
    with closing(sqlite3.connect(database)) as connection:
        [(count,)] = connection.execute(f"SELECT COUNT(*) FROM {made.KERNEL}")  # noqa: S608
    return int(count)


def test_a_plain_file_is_opened_itself(tmp_path: Path) -> None:
    """No copy is made of it."""
    path = made.write(tmp_path / "a.sqlite", made.job())
    with opened(str(path)) as database:
        assert database == path


def test_others_are_copied_for_the_time(tmp_path: Path) -> None:
    """A compressed file and a folder of Parquet files give the same tables; the copy is removed."""
    plain = made.write(tmp_path / "a.sqlite", made.job())
    packed = tmp_path / "a.sqlite.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    folder = made.write_parquet(tmp_path / "folder", made.job())
    for path in (packed, folder):
        with opened(str(path)) as database:
            assert kernels(database) == kernels(plain)
        assert not database.exists()


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    """A compressed database without its end is no database."""
    plain = made.write(tmp_path / "a.sqlite", made.job())
    path = tmp_path / "cut.sqlite.gz"
    path.write_bytes(gzip.compress(plain.read_bytes())[:-20])
    with pytest.raises(InputError, match="cut short"), opened(str(path)):
        pass
