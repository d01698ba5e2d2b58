"""Columns of large traces lie in files without a name, and nothing else differs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fixtures import nsys as made
from fixtures.make import HERE
from tests.support.handmade import overlap_options
from tp_tools.files import ReadSizes, Source, temporary
from tp_tools.files.scratch import IN_MEMORY, Scratch
from tp_tools.repair.analysis import analyze, rewrite, with_gpu_names
from tp_tools.writing import PftraceOptions

if TYPE_CHECKING:
    from pathlib import Path

MAPPED = ReadSizes(mapped=0, column=0)
IS_LINUX = sys.platform == "linux"
needs_linux = pytest.mark.skipif(not IS_LINUX, reason="only Linux reserves bytes")


@needs_linux
def test_a_column_has_no_name(tmp_path: Path) -> None:
    """Values are kept, though no file is left by which another process, or the next, finds it."""
    column = Scratch(tmp_path).mapped(100_000, np.int32)
    assert column is not None
    assert not column.any()
    column[:] = np.arange(100_000)
    assert list(tmp_path.iterdir()) == []
    assert column.sum() == 99_999 * 50_000


@needs_linux
def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL lets nobody clean up: there is nothing to clean up."""
    program = (
        "import os, signal, sys; from pathlib import Path; from tp_tools.files.scratch import *\n"
        "column = Scratch(Path(sys.argv[1])).mapped(100_000, 'i4'); column[:] = 1\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_short_columns_and_those_of_small_traces_are_in_memory(tmp_path: Path) -> None:
    """A file would take longer than they do."""
    assert Scratch(tmp_path, 10).mapped(9, np.int8) is None
    assert Scratch(tmp_path).mapped(0, np.int8) is None
    assert IN_MEMORY.mapped(100_000, np.int8) is None
    assert IN_MEMORY.empty(3, np.int8).shape == (3,)


def test_without_room_columns_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder, or with too full a disk, a column is made all the same."""
    assert Scratch(tmp_path / "missing").mapped(9, np.int8) is None
    free = os.statvfs(tmp_path)
    full = os.statvfs_result((*free[:4], 3, *free[5:]))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)  # simulates a nearly full disk
    size = full.f_frsize
    assert Scratch(tmp_path).mapped(size, np.int8) is None
    assert Scratch(tmp_path).empty(size, np.int8).shape == (size,)
    assert Scratch(tmp_path, spare=2 * size + 1).mapped(size, np.int8) is None
    assert (Scratch(tmp_path, spare=2 * size).mapped(size, np.int8) is not None) == IS_LINUX
    assert list(tmp_path.iterdir()) == []


@needs_linux
def test_a_file_that_cannot_be_reserved_is_none(tmp_path: Path) -> None:
    """A limit of the size of files refuses it, as a full disk does, when the column is made."""
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tp_tools.files.scratch import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "assert Scratch(Path(sys.argv[1])).mapped(1000, 'i1') is not None\n"
        "assert Scratch(Path(sys.argv[1])).mapped(1001, 'i1') is None\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True)
    assert list(tmp_path.iterdir()) == []


def written(path: Path, sizes: ReadSizes) -> list[bytes]:
    """Repair a trace, as JSON and as a .pftrace."""
    source = Source(path, path.name, sizes=sizes)
    analysis = with_gpu_names(analyze(source, overlap_options()))
    is_mapped = analysis.trace.ts.base is not None
    assert is_mapped == (sizes is MAPPED and IS_LINUX and len(analysis.trace) > 0)
    options = None, PftraceOptions()
    return [b"".join(rewrite(source, analysis, pftrace=it)) for it in options]


@pytest.mark.parametrize("file", sorted(HERE.glob("*.json.gz")), ids=lambda it: it.name)
def test_files_change_no_byte_of_a_result(file: Path, tmp_path: Path) -> None:
    """Every column of a fixture in a file, or none: the same JSON and the same .pftrace."""
    with temporary.in_folder(tmp_path):
        assert written(file, MAPPED) == written(file, ReadSizes())
        assert list(tmp_path.iterdir()) == []


def test_files_change_no_byte_of_an_export(tmp_path: Path) -> None:
    """The same of an export of Nsight Systems."""
    path = tmp_path / "made.sqlite"
    made.write(path, made.job())
    with temporary.in_folder(tmp_path):
        assert written(path, MAPPED) == written(path, ReadSizes())
    assert list(tmp_path.iterdir()) == [path]
