"""The numbers of --summary json: hidden slices, overlaps, repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE, truth_of
from tests.support.handmade import US, cpu, fixed, kernel, overlap_options, text, x
from tp_tools.files.source import Source
from tp_tools.repair.analysis import analyze
from tp_tools.repair.summary import hidden_of, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EPOCH = 1_712_188_800_123_456 * US


def numbers(*events: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of a repair of these events."""
    return summary(fixed(text(events)).analysis)


def of_file(path: Path) -> dict[str, Any]:
    """Return the summary of a repair of a file."""
    return summary(analyze(Source(path, path.name), overlap_options()))


def test_a_kernel_without_a_time_is_no_kernel() -> None:
    """One whose time was never filled in is left out, and not counted."""
    found = numbers(kernel("a", EPOCH, EPOCH + US, 1), kernel("b", 0, 5 * US, 2))
    assert (found["slices"], found["kernels"]) == (1, 1)
    assert found["repairs"] == {"unfilled_times": 1}


def test_the_keys_are_those_of_the_contract() -> None:
    """The keys have the documented order; the command adds input, output and verified."""
    assert list(numbers(kernel("k", 0, 1, 1))) == [
        "events",
        "slices",
        "kernels",
        "overlaps",
        "hidden",
        "moved",
        "trimmed",
        "rebased_ns",
        "lanes",
        "repairs",
    ]


def test_what_is_counted() -> None:
    """A kernel and a copy that overlap kernels are concurrent; an overhang of 500 ns is jitter."""
    found = numbers(
        kernel("a", 0, 12 * US, 1),
        kernel("b", 10 * US, 40 * US, 2),
        x("copy", 11 * US, 60 * US, cat="gpu_memcpy"),
        cpu("head", 0, 20_500),
        cpu("tail", 20_000, 40_000),
        {"ph": "i", "name": "now", "ts": 5, "pid": 10, "tid": 20, "s": "t"},
    )
    assert (found["events"], found["slices"], found["kernels"]) == (6, 5, 2)
    assert found["overlaps"] == {"concurrent": 2, "jitter": 1, "precision": 0}
    assert (found["moved"], found["trimmed"], found["lanes"], found["rebased_ns"]) == (2, 1, 2, 0)
    assert found["hidden"] == {
        "slices": 3,
        "kernels": 1,
        "kernel_ns": 30 * US,
        "share": round(30 / 42, 6),
    }
    assert found["repairs"] == {}


def test_a_moved_slice_that_is_trimmed_counts_as_concurrent() -> None:
    """A slice that moves and is trimmed counts once each as overlap, as moved and as trimmed."""
    found = numbers(
        cpu("first", 0, 50_000), cpu("moved", 10_000, 90_000), cpu("too", 20_000, 90_500)
    )
    assert found["overlaps"] == {"concurrent": 2, "jitter": 0, "precision": 0}
    assert (found["moved"], found["trimmed"]) == (2, 1)


def test_the_worst_names_come_first() -> None:
    """Names of hidden kernels are sorted by hidden time, summed over kernels of one name."""
    pairs = [("short", 20), ("long", 50), ("short", 20)]
    work = [
        kernel(name, (i * 1000 + at) * US, (i * 1000 + at + time) * US, i)
        for i, (early, length) in enumerate(pairs)
        for name, at, time in (("base", 0, 12), (early, 10, length))
    ]
    analysis = fixed(text(work)).analysis
    hidden = hidden_of(analysis.trace, analysis.hidden)
    assert hidden.names == [("long", 1, 50 * US), ("short", 2, 40 * US)]
    assert (hidden.slices, hidden.kernels, hidden.kernel_ns) == (3, 3, 90 * US)


def test_no_kernels_have_no_share() -> None:
    """A trace without kernels hides slices, and none of its kernel time."""
    hidden = numbers(cpu("a", 0, 20_000), cpu("b", 10_000, 30_000))["hidden"]
    assert hidden == {"slices": 1, "kernels": 0, "kernel_ns": 0, "share": 0.0}


def test_precision_is_what_rounding_alone_hides() -> None:
    """A slice hidden by a true overlap is not hidden by rounding, even if the other one moves."""
    touching = [kernel(f"k{i}", EPOCH + i * 1_001, EPOCH + (i + 1) * 1_001, i) for i in range(40)]
    rounded = numbers(*touching)
    assert rounded["overlaps"]["precision"] == rounded["hidden"]["slices"] > 0
    assert (rounded["moved"], rounded["trimmed"]) == (0, 0)
    note = x("note", EPOCH, EPOCH + 5_001, cat="gpu_user_annotation", tid=20)
    work = kernel("work", EPOCH + 2_001, EPOCH + 9_001, 99, tid=20)
    assert fixed(text([note, work])).analysis.hidden.tolist() == [1]
    both = numbers(*touching, note, work)
    assert both["overlaps"] == {
        "concurrent": 1,
        "jitter": 0,
        "precision": rounded["hidden"]["slices"],
    }


def test_precision_is_not_what_a_misread_id_hides() -> None:
    """Slices hidden because Perfetto merges streams 0 and 2 of GPU 2 do not count as rounded."""
    a = kernel("a", EPOCH, EPOCH + 50 * US + 1, 1, pid=2, tid=0)
    b = kernel("b", EPOCH + 10 * US, EPOCH + 90 * US, 2, pid=2, tid=2)
    found = numbers(a, b)
    assert found["hidden"]["kernels"] == 1
    assert found["rebased_ns"] > 0
    assert found["overlaps"] == {"concurrent": 0, "jitter": 0, "precision": 0}
    assert found["repairs"] == {"zero_tids": 1}


def test_repairs_are_counted_by_kind() -> None:
    """Kinds of repairs that occurred are listed in the order of their names."""
    found = numbers(
        kernel("a", 0, 5, 1, pid=-1),
        kernel("b", 0, 5, 2, pid="text"),
        {**kernel("c", 0, 5, 3), "ts": None},
        {**kernel("d", 0, 5, 4), "dur": None},
    )
    assert found["repairs"] == {
        "durationless": 1,
        "negative_pids": 1,
        "text_pids": 1,
        "untimed": 1,
    }


@pytest.mark.parametrize(
    "name",
    ["amd_stream0", "epoch_decimals", "jitter_stack", "pdl_decode", "sound"],
)
def test_fixtures_are_summed_up_as_they_were_made(name: str) -> None:
    """The counts of overlaps, moves, trims and hidden slices are those that the fixture states."""
    file = f"{name}.json.gz"
    truth, found = truth_of(file), of_file(HERE / file)
    kernels = [it for it in truth["hidden"] if it["cat"] == "kernel"]
    lost = sum(it["dur"] for it in kernels)
    assert found["slices"] == truth["slices"]
    assert found["overlaps"] == truth["overlaps"]
    assert found["moved"] == len(truth["moved"])
    assert found["trimmed"] == len(truth["trimmed"])
    assert found["hidden"] == {
        "slices": len(truth["hidden"]),
        "kernels": len(kernels),
        "kernel_ns": lost,
        "share": round(lost / truth["kernel_ns"], 6) if truth["kernel_ns"] else 0.0,
    }


def test_a_real_trace_with_early_kernels(real_trace: Callable[[str], Path]) -> None:
    """On B200, 38 kernels with 18.8 % of the kernel time are hidden, and 42 slices in all."""
    found = of_file(real_trace("b200_vllm_tp8_rank0.json.gz"))
    assert found["kernels"] == 768
    assert (found["hidden"]["kernels"], found["hidden"]["slices"]) == (38, 42)
    assert round(100 * found["hidden"]["share"], 1) == 18.8


def test_a_real_trace_with_epoch_decimals(real_trace: Callable[[str], Path]) -> None:
    """774 slices, 8 of them kernels, are hidden by rounding alone, so none moves or is trimmed."""
    found = of_file(real_trace("epoch_decimals_rank0.json.gz"))
    assert (found["hidden"]["kernels"], found["hidden"]["slices"]) == (8, 774)
    assert found["overlaps"] == {"concurrent": 0, "jitter": 0, "precision": 774}
    assert (found["moved"], found["trimmed"], found["lanes"]) == (0, 0, 0)
    assert found["rebased_ns"] > 0


def test_a_real_trace_with_python_stacks(real_trace: Callable[[str], Path]) -> None:
    """In xDiT nearly all overlaps are jitter, so that the Python stack stays whole."""
    found = of_file(real_trace("mi300_xdit_sd35_rank0.json.gz"))
    assert found["moved"] <= 15
    assert found["overlaps"]["jitter"] > 2000
    assert found["hidden"]["slices"] == 2092
