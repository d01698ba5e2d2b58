"""The Python API: what commands do, as functions, without output, in any script."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import tp_tools
from fixtures.make import HERE, truth_of
from tests.support.command_line import TpTools
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
SOUND = HERE / "sound.json.gz"
GLOO = HERE / "gloo4"
TOTAL = "SELECT SUM(dur) AS ns FROM slice WHERE category = 'kernel'"


@pytest.fixture
def command(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line, to compare with."""
    return TpTools(capsysbinary)


@pytest.fixture
def decode(tmp_path: Path) -> Path:
    """A copy of a trace with hidden kernels."""
    return shutil.copy(DECODE, tmp_path / "rank0.json.gz")


def test_fix_is_the_command(decode: Path, command: TpTools, tmp_path: Path) -> None:
    """The same bytes and the same numbers, beside the trace; nothing is printed."""
    fixed = tp_tools.fix(decode, verify=True)
    assert fixed.output == str(tmp_path / "rank0.fixed.json.gz")
    assert not fixed.is_sound
    ran = command(
        "fix", decode, "-o", tmp_path / "b.json.gz", "--verify", "--summary", "json", "-q"
    )
    assert ran.err == ""
    assert {**json.loads(ran.out), "output": fixed.output} == fixed.numbers
    assert (tmp_path / "b.json.gz").read_bytes() == (tmp_path / "rank0.fixed.json.gz").read_bytes()
    with tp_tools.open_trace(fixed.output, raw=True) as tp:
        (row,) = tp.query(TOTAL)
        assert row.ns == truth_of(DECODE.name)["kernel_ns"]


def test_fix_writes_what_the_suffix_says(decode: Path, tmp_path: Path) -> None:
    """A .pftrace, with rows of their own where that is asked for."""
    tp_tools.fix(decode, tmp_path / "a.pftrace", lanes="rows", verify=True)
    with pytest.raises(UsageError, match="shared"):
        tp_tools.fix(decode, tmp_path / "a.json", lanes="shared")
    with pytest.raises(UsageError, match="exists"):
        tp_tools.fix(decode, tmp_path / "a.pftrace")
    assert tp_tools.fix(decode, tmp_path / "a.pftrace", force=True).output is not None


def test_a_check_writes_nothing(decode: Path, tmp_path: Path) -> None:
    """It says whether Perfetto shows all."""
    found = tp_tools.fix(decode, check=True)
    assert (found.output, found.is_sound) == (None, False)
    assert tp_tools.fix(SOUND, check=True).is_sound
    assert [it.name for it in tmp_path.iterdir()] == ["rank0.json.gz"]


def test_merge_is_the_command(command: TpTools, tmp_path: Path) -> None:
    """The same bytes and the same numbers."""
    merged = tp_tools.merge(GLOO, tmp_path / "a.json.gz", exclude=["user_annotation"])
    ran = command(
        *("merge", GLOO, "-o", tmp_path / "b.json.gz", "--exclude", "user_annotation"),
        *("--summary", "json", "-q"),
    )
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert {**json.loads(ran.out)} == {**merged.numbers, "output": str(tmp_path / "b.json.gz")}
    assert merged.output == str(tmp_path / "a.json.gz")
    with pytest.raises(UsageError, match="cannot select"):
        tp_tools.merge(GLOO, tmp_path / "a.zip", format="archive", gpu_only=True)


def test_a_job_opens_as_it_is_merged(tmp_path: Path) -> None:
    """All ranks in one TraceProcessor, with the events that `merge` writes."""
    tp_tools.merge(GLOO, tmp_path / "a.json.gz")
    count = "SELECT COUNT(*) AS n, MIN(ts) AS ts FROM slice"
    with tp_tools.open_job(GLOO) as job, tp_tools.open_trace(tmp_path / "a.json.gz") as file:
        (of_job,), (of_file,) = job.query(count), file.query(count)
        assert (of_job.n, of_job.ts) == (of_file.n, of_file.ts)


def test_info_is_the_command(command: TpTools) -> None:
    """An object per trace."""
    found = [it.as_object() for it in tp_tools.info([DECODE, SOUND])]
    assert found == json.loads(command("info", DECODE, SOUND, "--format", "json").out)


def test_report_is_the_command(command: TpTools, tmp_path: Path) -> None:
    """The same page, which a notebook shows in a frame."""
    pytest.importorskip("plotly")
    page = tp_tools.report(DECODE, tmp_path / "a.html")
    command("report", DECODE, "-o", tmp_path / "b.html", "-q")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_text("utf-8") == page.html
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert "<" not in shown[len("<iframe") : -len("></iframe>")]


def test_errors_are_those_of_commands(tmp_path: Path) -> None:
    """One line, which names the file."""
    (tmp_path / "a.json").write_text("{}")
    for function in (tp_tools.fix, tp_tools.info, tp_tools.report, tp_tools.open_job):
        with pytest.raises(InputError, match=r"a\.json"):
            function(tmp_path / "a.json")
    with pytest.raises(InputError, match="no such file"):
        tp_tools.fix(tmp_path / "b.json")


def test_a_warning_is_given_at_the_callers_line(decode: Path, tmp_path: Path) -> None:
    """Of a file that was cut short."""
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(decode.read_bytes()[:-2000])
    with pytest.warns(tp_tools.LossWarning, match="was cut short") as caught:
        tp_tools.fix(cut)
    assert caught[0].filename == __file__


def test_the_version_is_that_of_the_package() -> None:
    """As pip says."""
    assert tp_tools.__version__ == importlib.metadata.version("tp-tools")


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    """Workers do not run the caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import tp_tools\n"
        "print('begins')\n"
        f"tp_tools.fix({str(DECODE)!r}, 'a.json.gz', jobs=2)\n"
        f"tp_tools.merge({str(GLOO)!r}, 'b.json.gz', jobs=2)\n"
        "print('ends')\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "begins\nends\n"
    assert done.stderr == ""


def test_all_names_exist() -> None:
    """What `__all__` promises can be imported."""
    for name in tp_tools.__all__:
        assert getattr(tp_tools, name) is not None
