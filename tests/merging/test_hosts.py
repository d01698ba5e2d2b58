"""The machine of a rank and the rail of its GPU: as files state them, and never guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures import generate_ranks
from tests.support.command_line import TpTools
from tests.support.generated import STEP, write_rank
from tests.support.launched import launched
from tp_tools.chrome import read
from tp_tools.chrome.metadata import metadata
from tp_tools.files import Source
from tp_tools.merging.hosts import RankGpus, host_of, rails

if TYPE_CHECKING:
    from pathlib import Path

PID = 99
"""The process of `launched`'s threads."""


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


def host(folder: Path, name: str, **header: object) -> str:
    """The host of a trace with this name, whose process is PID."""
    path = write_rank(folder, name, launched(100, 1), **header)
    trace = read(Source(path, str(path)))
    return host_of(str(path), trace, metadata(trace))


@pytest.mark.parametrize(
    ("name", "header", "found"),
    [
        ("rank0.json", {"host_name": "node-a"}, "node-a"),
        ("rank0.json", {"host_name": "localhost"}, ""),
        ("rank0.json", {"host_name": 7}, ""),
        ("rank0.json", {}, ""),
        (f"node-b_{PID}.1694128201545.pt.trace.json", {}, "node-b"),
        (f"gpu_7.x.y_{PID}.vllm.1694128201545.pt.trace.json.gz", {}, "gpu_7.x.y"),
        (f"node-b_{PID}.1694128201545.pt.trace.json", {"host_name": "node-a"}, "node-a"),
        (f"localhost_{PID}.1694128201545.pt.trace.json", {}, ""),
        ("node-b_98.1694128201545.pt.trace.json", {}, ""),
        (f"worker_{PID}.1694128201545.pt.trace.json", {}, ""),
        (f"node-b_{PID}.json", {}, ""),
    ],
)
def test_the_host_is_stated_or_unknown(
    tmp_path: Path, name: str, header: dict[str, object], found: str
) -> None:
    """By the trace, or in the name of the file before a process that the trace has; else not."""
    assert host(tmp_path, name, **header) == found


def gpus(host: str, *used: int, listed: int = 0) -> RankGpus:
    """The GPUs of a rank."""
    return RankGpus(host, frozenset(used), listed)


@pytest.mark.parametrize(
    ("ranks", "found"),
    [
        ([gpus("a", 0), gpus("a", 1), gpus("b", 0), gpus("b", 1)], [0, 1, 0, 1]),
        ([gpus("", 0), gpus("", 1)], [None, None]),
        # each process sees one GPU, which it calls 0; the other machine does not
        ([gpus("a", 0), gpus("a", 0), gpus("b", 2), gpus("b", 3)], [None, None, 2, 3]),
        ([gpus("a", 0, listed=1)], [None]),
        ([gpus("a", 0, listed=8)], [0]),
        ([gpus("a", 3)], [3]),
        # more ranks than GPUs: parts of GPUs
        ([gpus("a", 0, listed=2), gpus("a", 1, listed=2), gpus("a", 2, listed=2)], [None] * 3),
        # a rank on two GPUs has no rail, and takes none from another one
        ([gpus("a", 0, 1, listed=4), gpus("a", 2, listed=4)], [None, 2]),
        ([gpus("a", listed=4), gpus("a", 2, listed=4)], [None, 2]),
    ],
)
def test_a_rail_is_the_number_of_a_gpu_on_its_machine(
    ranks: list[RankGpus], found: list[int | None]
) -> None:
    """Where the numbers tell the ranks of a machine apart; else there is none."""
    assert list(rails(dict(enumerate(ranks))).values()) == found


def test_commands_say_the_hosts(tp_tools: TpTools, tmp_path: Path) -> None:
    """`merge --summary json` and `info` give the host of each rank; the merge itself names none."""
    wishes = generate_ranks.Wishes(ranks=4, steps=2, args="seq", hosts=2, lossy_rank=None, cut=0)
    job = generate_ranks.generate(generate_ranks.structure(STEP), wishes)
    files = list(generate_ranks.written(job, tmp_path, ".json"))
    plain = json.loads(files[3].read_text())
    del plain["host_name"]
    files[3].write_text(json.dumps(plain))
    out = tmp_path / "all" / "all.json"
    out.parent.mkdir()
    ran = tp_tools("merge", *files, "-o", out, "--summary", "json")
    assert ran.code == 0, ran.err
    hosts = ["node-0", "node-0", "node-1", None]
    assert [rank["host"] for rank in json.loads(ran.out)["ranks"]] == hosts
    assert "nodes    2, with 1 to 2 of the ranks each; of 1 rank the machine" in ran.err
    assert b"node-0" not in out.read_bytes()
    described = json.loads(tp_tools("info", *files, "--format", "json").out)
    assert [it["host"] for it in described] == hosts
    assert "Host       node-1" in tp_tools("info", files[2]).out.decode()
