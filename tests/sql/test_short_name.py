"""`tpt_short_name`: the rules that SQL shares with the tables of tp-tools."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import work
from tests.support.handmade import text
from tp_tools import engine
from tp_tools.engine import load
from tp_tools.trace.kernel_families import is_plain
from tp_tools.trace.short_names import short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TABLE = Path(__file__).parents[1] / "trace" / "kernel_names.tsv"
QUERY = "INCLUDE PERFETTO MODULE tpt.short_name; SELECT name, tpt_short_name(name) FROM slice"


def check(names: Iterable[str]) -> None:
    """SQL gives the same for plain functions, and the functor of elementwise kernels."""
    kernels = [work(name, 10 * place, 10 * place + 5) for place, name in enumerate(names)]
    with load([text(kernels)], source="trace.json") as tp:
        found = dict(engine.query_rows(tp, QUERY).rows)
    for name, short in found.items():
        ours = short_name(name)
        if is_plain(name):
            assert short == ours, name
        elif short.startswith("elementwise ") and "complex<" not in name:
            assert ours.startswith(f"{short}"), name


def test_names_of_the_table() -> None:
    """The names of the table of short names."""
    check(line.split("\t")[1] for line in TABLE.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    "trace",
    ["b200_vllm_tp8_rank0", "epoch_decimals_rank0", "mi300_xdit_sd35_rank0", "train128_rank0"],
)
def test_recorded_names(trace: str, real_trace: Callable[[str], Path]) -> None:
    """The names of the kernels of a recorded trace."""
    data = json.loads(gzip.decompress(real_trace(f"{trace}.json.gz").read_bytes()))
    check({event["name"] for event in data["traceEvents"] if event.get("cat") == "kernel"})
