"""`tp-tools merge --format archive`: each rank repaired, in a trace of its own, on one clock."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fixtures import generate_ranks
from tests.support.command_line import TpTools
from tests.support.generated import STEP, write_rank
from tests.support.launched import launched
from tests.support.small_traces import in_pieces
from tp_tools import engine
from tp_tools.chrome import read
from tp_tools.files import Source
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OVERLAP = [
    {"ph": "X", "cat": "kernel", "name": name, "pid": 0, "tid": 7, "ts": ts, "dur": 10, "args": {}}
    for name, ts in (("a", 2000), ("b", 2005))
]
"""Two kernels of one stream that Perfetto cannot show on one track."""


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


def unpacked(archive: Path, folder: Path) -> list[Path]:
    """The ranks of an archive, as files."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return sorted(folder.glob("rank*.json"))


def manifest_of(archive: Path) -> dict[str, Any]:
    """The manifest of an archive."""
    with zipfile.ZipFile(archive) as packed:
        found: dict[str, Any] = json.loads(packed.read("perfetto_manifest.json"))
    return found["perfetto_manifest"]  # type: ignore[no-any-return]


def generated(folder: Path, drift_ppm: float) -> list[Path]:
    """Four ranks on clocks that differ, whose collectives say what they are."""
    folder.mkdir()
    wishes = generate_ranks.Wishes(
        ranks=4, steps=8, args="comms_id", largest_drift_ppm=drift_ppm, lossy_rank=None, cut=0.0
    )
    job = generate_ranks.generate(generate_ranks.structure(STEP), wishes)
    return list(generate_ranks.written(job, folder))


def ends(path: Path) -> dict[str, int]:
    """The end of each collective by its Comms Id, ns, as TraceProcessor shows a rank."""
    with engine.load(in_pieces(path.read_bytes()), source=path.name) as tp:
        assert engine.losses(tp) == {}
        rows = tp.query(
            "SELECT EXTRACT_ARG(arg_set_id, 'args.Comms Id') AS id, ts + dur AS end FROM slice "
            "WHERE category = 'kernel' AND id IS NOT NULL"
        )
        return {str(row.id): int(row.end) for row in rows}


@pytest.mark.parametrize("drift_ppm", [0.0, 50.0])
def test_collectives_end_together_on_all_machines(
    tp_tools: TpTools, tmp_path: Path, drift_ppm: float
) -> None:
    """Read back from each member, with offset 0: all ranks leave within what the job scatters."""
    files = generated(tmp_path / "in", drift_ppm)
    out = tmp_path / "all.zip"
    ran = tp_tools("merge", *files, "-o", out, "--format", "archive", "--verify")
    assert ran.code == 0, ran.err
    assert "verified" in ran.err
    by_rank = [ends(member) for member in unpacked(out, tmp_path / "out")]
    common = set.intersection(*(set(found) for found in by_rank))
    assert common
    apart = [
        max(found[name] for found in by_rank) - min(found[name] for found in by_rank)
        for name in common
    ]
    assert np.median(apart) <= 2 * generate_ranks.Wishes().end_noise
    files_of = manifest_of(out)["files"]
    assert [it["clocks"] for it in files_of[1:]] == [
        {"sync_to": {"file": "rank0.json"}, "offset_ns": 0}
    ] * 3


def test_each_rank_is_repaired(tp_tools: TpTools, tmp_path: Path) -> None:
    """TraceProcessor shows every slice of each member, and the summary counts them."""
    for rank in range(2):
        said = {"distributedInfo": {"rank": rank, "world_size": 2}}
        write_rank(tmp_path / "in", f"rank{rank}.json", [*launched(100, 1), *OVERLAP], **said)
    out = tmp_path / "all.zip"
    ran = tp_tools("merge", tmp_path / "in", "-o", out, "--format", "archive", "--verify")
    assert ran.code == 0, ran.err
    assert "2 ranks, " in ran.err
    assert "8 slices" in ran.err
    assert [it["machine"]["name"] for it in manifest_of(out)["files"]] == ["rank 0", "rank 1"]
    for member in unpacked(out, tmp_path / "out"):
        with engine.load(in_pieces(member.read_bytes()), source=member.name) as tp:
            assert engine.losses(tp) == {}
            kernels = tp.query("SELECT name FROM slice WHERE category = 'kernel' ORDER BY ts")
            assert [row.name for row in kernels] == ["gemm", "a", "b"]


def test_a_member_says_what_its_rank_said(tp_tools: TpTools, tmp_path: Path) -> None:
    """The header stays, the base time is that of all: members are ranks that merge again."""
    base = 1_767_189_312_000_000_000
    for rank in range(2):
        said = {"distributedInfo": {"rank": rank, "world_size": 2}}
        later = {"baseTimeNanoseconds": base + rank * 77}
        write_rank(tmp_path / "in", f"rank{rank}.json", launched(100, 1), **said, **later)
    out = tmp_path / "all.zip"
    assert tp_tools("merge", tmp_path / "in", "-o", out, "--format", "archive").code == 0
    members = unpacked(out, tmp_path / "out")
    headers = [json.loads(member.read_text()) for member in members]
    assert [it["distributedInfo"]["rank"] for it in headers] == [0, 1]
    assert headers[0]["baseTimeNanoseconds"] == headers[1]["baseTimeNanoseconds"]
    starts = [min(e["ts"] for e in it["traceEvents"] if "ts" in e) for it in headers]
    assert round((starts[1] - starts[0]) * 1000) == 77
    assert min(starts) >= 0
    again = tp_tools("merge", *members, "-o", tmp_path / "again.json")
    assert again.code == 0, again.err


def test_a_recorded_job(
    tp_tools: TpTools, real_trace: Callable[[str], Path], tmp_path: Path
) -> None:
    """Two ranks of a training on one machine: every event of both, verified in TraceProcessor."""
    files = [real_trace(f"train128_rank{rank}.json.gz") for rank in range(2)]
    out = tmp_path / "all.zip"
    options = ("--format", "archive", "--verify", "--allow-missing")
    ran = tp_tools("merge", *files, "-o", out, *options)
    assert ran.code == 0, ran.err
    for file, member in zip(files, unpacked(out, tmp_path / "out"), strict=True):
        recorded, written = read(Source(file, "it")), read(Source(member, "it"))
        # events of the file, then names of new rows
        assert not is_phase(written, "X")[len(recorded) :].any()
        assert is_phase(written, "X").sum() == is_phase(recorded, "X").sum()


def test_short_names_are_written(tp_tools: TpTools, tmp_path: Path) -> None:
    """Kernels get them in every rank, as in a merged trace."""
    name = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>>()"
    write_rank(tmp_path / "in", "rank0.json", launched(100, 1, name=name))
    out = tmp_path / "all.zip"
    options = ("--format", "archive", "--short-names")
    ran = tp_tools("merge", tmp_path / "in", "-o", out, *options)
    assert ran.code == 0, ran.err
    (member,) = unpacked(out, tmp_path / "out")
    named = [e for e in json.loads(member.read_text())["traceEvents"] if e.get("cat") == "kernel"]
    assert [e["args"]["tpt_name"] for e in named] == [name]
