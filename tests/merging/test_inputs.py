"""Arguments of a command name files, folders and globs, and files name their ranks."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import kernel, write_trace
from tp_tools.errors import InputError, UsageError
from tp_tools.files import ReadSizes, Source
from tp_tools.merging.inputs import expand
from tp_tools.merging.job_files import JobFiles
from tp_tools.merging.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable


def in_order(files: list[str]) -> list[tuple[int, str]]:
    """The ranks of these files, by number."""
    found, _ = JobFiles([probe(file, is_given=True) for file in files], []).in_order()
    return [(it.rank, it.file) for it in found]


def test_a_folder_holds_its_traces(tmp_path: Path) -> None:
    """Of a folder, what ends like a trace; not what `fix` wrote beside one, but what it moved."""
    kept = ["a.json", "b.json.gz", "c.pftrace", "d.fixed.json.gz", "e.json.zst"]
    for name in [*kept, "a.fixed.json.gz", "b.fixed.json", "notes.txt", "rows.csv", "f.json.bak"]:
        (tmp_path / name).touch()
    (tmp_path / "g.json").mkdir()
    assert expand([str(tmp_path)]) == [str(tmp_path / name) for name in kept]


@pytest.mark.parametrize("name", ["host.xplane.pb", "4242_results.db"])
def test_what_may_be_a_trace_counts_where_nothing_else_does(tmp_path: Path, name: str) -> None:
    """A profile of XLA or a database alone in its folder; beside a trace it is left out."""
    folder = tmp_path / "plugins" / "now"
    folder.mkdir(parents=True)
    (folder / name).touch()
    assert expand([str(folder)]) == [str(folder / name)]
    with pytest.raises(InputError, match=r"its folders do: .*now"):
        expand([str(tmp_path)])
    (folder / "host.trace.json.gz").touch()
    assert expand([str(folder)]) == [str(folder / "host.trace.json.gz")]


def test_folders_further_below_are_named(tmp_path: Path) -> None:
    """As those of torchtitan: profile_trace/iteration_10/rank0_trace.json."""
    for number in range(10, 17):
        (tmp_path / f"profile_trace/iteration_{number}").mkdir(parents=True)
        (tmp_path / f"profile_trace/iteration_{number}/rank0_trace.json").touch()
    first = ", ".join(f"{tmp_path}/profile_trace/iteration_{number}" for number in range(10, 15))
    with pytest.raises(InputError, match=f"its folders do: {first}, ...\\. Give one of them"):
        expand([str(tmp_path)])


def test_a_folder_of_folders_names_them(tmp_path: Path) -> None:
    """Each is a job of its own, as prefill and decode servers leave them."""
    for name in ("prefill/rank0.json", "decode/rank0.json", "logs/server.log"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    shown = rf"its folders do: {tmp_path}/decode, {tmp_path}/prefill\. Give one of them\."
    with pytest.raises(InputError, match=shown):
        expand([str(tmp_path)])


def test_a_name_is_a_file_before_it_is_a_pattern(tmp_path: Path) -> None:
    """Brackets in a file's name do no harm; a file that is meant twice is taken once."""
    odd = tmp_path / "rank[0].json"
    odd.touch()
    (tmp_path / "rank0.json").touch()
    assert expand([str(odd)]) == [str(odd)]
    both = sorted(map(str, tmp_path.iterdir()))
    assert sorted(expand([str(tmp_path / "*"), *both])) == both


def test_brackets_in_names_are_no_pattern(tmp_path: Path) -> None:
    """In folders that are there, and in files that are called so; else they are a pattern."""
    folder = tmp_path / "run[1]"
    folder.mkdir()
    (tmp_path / "run1").mkdir()
    for name in ("exp[a]-rank[0].json", "exp[a]-rank[1].json", "expa-rank2.json"):
        (folder / name).touch()
        (tmp_path / "run1" / name).touch()
    ranks = [str(folder / f"exp[a]-rank[{rank}].json") for rank in range(2)]
    assert expand([str(folder / "exp[a]-rank*.json")]) == ranks
    assert expand([str(folder / "exp[a]-rank[*].json")]) == ranks
    assert expand([str(folder / "expa-rank[0-9].json")]) == [str(folder / "expa-rank2.json")]
    assert expand([str(tmp_path / "run[12]" / "expa*")]) == [str(tmp_path / "run1/expa-rank2.json")]


def test_globs_reach_down(tmp_path: Path) -> None:
    """Two stars stand for any folders."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "t.json").touch()
    assert expand([str(tmp_path / "**" / "*.json")]) == [str(deep / "t.json")]


def test_stdin_stands_alone() -> None:
    """Standard input is one trace; it cannot be a rank among files."""
    assert expand(["-"]) == ["-"]
    with pytest.raises(UsageError, match="one trace"):
        expand(["-", "other.json"])


@pytest.mark.parametrize(
    "name", ["rank7.json", "rank_7.json", "run.RANK-7.pt.trace.json", "x.json"]
)
def test_a_rank_is_what_the_trace_says(tmp_path: Path, name: str) -> None:
    """The trace says its rank, whatever it is called; a name that says the same is fine."""
    path = str(write_trace(tmp_path / name, kernel("k", 1, 1), rank=7))
    assert in_order([path]) == [(7, path)]


def test_a_rank_may_be_in_the_name_alone(tmp_path: Path) -> None:
    """A file or its folder may name the rank of a trace that does not."""
    folder = tmp_path / "rank3"
    folder.mkdir()
    files = [tmp_path / "job_rank12.json", folder / "t.json"]
    twelve, three = [str(write_trace(file, kernel("k", 1, 1))) for file in files]
    assert in_order([twelve, three]) == [(3, three), (12, twelve)]


def test_a_rank_behind_the_events(tmp_path: Path) -> None:
    """On-demand profiles have distributedInfo behind their events: it is found there."""
    events = [kernel("k" * 100, i, 1) for i in range(20_000)]
    path = tmp_path / "t.json.gz"
    text = json.dumps({"traceEvents": events, "distributedInfo": {"rank": 5, "pg_config": [{}]}})
    path.write_bytes(gzip.compress(text.encode(), 1))
    assert in_order([str(path)]) == [(5, str(path))]


@pytest.mark.parametrize("block", [40, 100, 250])
def test_a_rank_between_two_blocks(tmp_path: Path, block: int) -> None:
    """Wherever the file is cut while it is read, its rank is found, before or behind the events."""
    job = {"distributedInfo": {"backend": "nccl", "pg_config": ["x" * 100], "rank": 5}}
    events = {"traceEvents": [kernel("k" * 200, 1, 1)]}
    for parts in ({**job, **events}, {**events, **job}):
        path = tmp_path / "t.json"
        path.write_text(json.dumps(parts))
        found = probe(
            str(path),
            is_given=True,
            sources=lambda file: Source(Path(file), file, sizes=ReadSizes(block)),
        )
        assert found.metadata.rank == 5


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("train128_rank1.json.gz", 1),
        ("b200_vllm_tp8_rank0.json.gz", 0),
        ("vllm_piecewise_graph_execution.json.gz", 0),
        ("h100_qwen15_chat.json.gz", None),
    ],
)
def test_ranks_of_real_traces(
    real_trace: Callable[[str], Path], name: str, rank: int | None
) -> None:
    """The rank in a recorded trace is read."""
    assert probe(str(real_trace(name)), is_given=True).metadata.rank == rank


def test_no_rank_at_all(tmp_path: Path) -> None:
    """A trace without a rank is an error that says what to do."""
    path = write_trace(tmp_path / "t.json", kernel("k", 1, 1))
    with pytest.raises(InputError, match=r"t\.json: its rank is unknown.*Name it rank0"):
        in_order([str(path)])
