"""Verification: every way in which a result can be wrong is noticed, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.support.handmade import Fixed, arrow, cpu, fixed, kernel, mark, text
from tests.support.helping import here
from tp_tools.errors import VerificationError
from tp_tools.processes.pool import ALONE
from tp_tools.repair.verify_json import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.processes import Pool

US = 1000
Events = list[dict[str, Any]]


def work() -> Events:
    """Two kernels that overlap, their launches, a stack with jitter, an instant."""
    kernels = [kernel("early", 0, 12 * US, 1), kernel("late", 10 * US, 22 * US, 2)]
    launches = [
        cpu(f"launch {i}", i * US, i * US + 500, cat="cuda_runtime", args={"correlation": i})
        for i in (1, 2)
    ]
    arrows = [it for i in (1, 2) for it in arrow(i, launches[i - 1], kernels[i - 1])]
    stack = [cpu("a", 0, 20_500, tid=21), cpu("b", 20_000, 40_000, tid=21)]
    return [*kernels, *launches, *arrows, *stack, mark("i", 5 * US, name="now", s="t")]


def verified(result: Fixed, data: bytes, folder: Path, pool: Pool = ALONE) -> None:
    """Verifies these bytes against the plan of that repair."""
    path = folder / "out.json"
    path.write_bytes(data)
    verify(path, "out.json", result.analysis, None, pool=pool)


def test_a_right_result_passes(tmp_path: Path) -> None:
    """A result that holds every planned slice passes."""
    result = fixed(text(work()))
    assert result.lanes() == {"late": 2}
    assert result.durs() == {"a": 20 * US}
    verified(result, result.data, tmp_path)


def test_async_spans_and_instants_of_all_kinds_are_no_extra_slices(tmp_path: Path) -> None:
    """Asynchronous spans lie on tracks of their own and are not taken for slices of a thread."""
    span = [
        mark(phase, at * US, name="request", cat="serving", id="0x1")
        for phase, at in (("b", 3), ("n", 4), ("e", 6))
    ]
    result = fixed(text([*work(), *span, mark("i", 7 * US, s="g"), mark("i", 8 * US, s="p")]))
    verified(result, result.data, tmp_path)


def moved(events: Events) -> dict[str, Any]:
    """The slice on the lane."""
    return next(it for it in events if it["name"] == "late")


def drop_an_event(events: Events) -> None:
    """A slice got lost."""
    del events[1]


def add_a_slice(events: Events) -> None:
    """A slice is there twice."""
    events.append({**events[0], "tid": 99})


def swap_two(events: Events) -> None:
    """Events changed places."""
    events[2], events[4] = events[4], events[2]


def shift_a_start(events: Events) -> None:
    """A time is wrong by a nanosecond."""
    events[2]["ts"] += 0.001


def stretch_an_end(events: Events) -> None:
    """A duration is wrong by a nanosecond."""
    events[0]["dur"] += 0.001


def forget_a_trim(events: Events) -> None:
    """A trimmed slice has its recorded duration."""
    next(it for it in events if it["name"] == "a")["dur"] = 20.5


def rename_a_slice(events: Events) -> None:
    """A name changed."""
    moved(events)["name"] = "other"


def forget_a_move(events: Events) -> None:
    """A slice is still in its row, where Perfetto drops it."""
    moved(events)["tid"] = 7


def move_it_elsewhere(events: Events) -> None:
    """A slice is on a row of its own, but not the planned one."""
    moved(events)["tid"] = 99


def change_a_category(events: Events) -> None:
    """A kernel is no kernel any more."""
    moved(events)["cat"] = "cpu_op"


def change_a_correlation(events: Events) -> None:
    """A kernel is tied to another launch."""
    moved(events)["args"]["correlation"] = 1


def move_what_stays(events: Events) -> None:
    """A slice that was to stay is on another thread, with nothing else wrong."""
    next(it for it in events if it["name"] == "b")["tid"] = 22


def forget_a_name(events: Events) -> None:
    """The lane has no name."""
    del events[-1]


def forget_an_arrow(events: Events) -> None:
    """An arrow did not follow its slice."""
    flow = next(it for it in events if it["ph"] == "f" and it["id"] == 2)
    flow["tid"] = 7


@pytest.mark.parametrize(
    "damage",
    [
        drop_an_event,
        add_a_slice,
        swap_two,
        shift_a_start,
        stretch_an_end,
        forget_a_trim,
        rename_a_slice,
        forget_a_move,
        move_it_elsewhere,
        change_a_category,
        change_a_correlation,
        move_what_stays,
        forget_a_name,
        forget_an_arrow,
    ],
)
@pytest.mark.parametrize("pool", [ALONE, here(2)], ids=["alone", "with a worker"])
def test_a_wrong_result_is_refused(
    damage: Callable[[Events], None], pool: Pool, tmp_path: Path
) -> None:
    """Each of these is no longer what was recorded, and is said to be not, whoever loads it."""
    result = fixed(text(work()))
    document = json.loads(result.data)
    damage(document["traceEvents"])
    with pytest.raises(VerificationError, match=r"^out\.json: .*The result was not kept"):
        verified(result, json.dumps(document).encode(), tmp_path, pool)


def test_a_loss_on_loading_is_refused(tmp_path: Path) -> None:
    """Even if all is as planned; the loss is named as TraceProcessor names it."""
    data = text(work())
    result = fixed(data)
    empty = replace(fixed(text(work()[:1])).analysis.plan, ids=result.analysis.plan.ids)
    unplanned = replace(result, analysis=replace(result.analysis, plan=empty))
    with pytest.raises(VerificationError, match="slice_drop_overlapping_complete_event"):
        verified(unplanned, data, tmp_path)


def test_trimmed_and_moved_pairs_pass(tmp_path: Path) -> None:
    """B and E are compared as the slice that they make."""
    pairs = [
        mark("B", 0, name="trimmed"),
        mark("E", 20_400, name="trimmed"),
        mark("B", 20_000, name="next"),
        mark("B", 50_000, name="moved"),
        mark("E", 60_000, name="next"),
        mark("E", 90_000, name="moved"),
        cpu("x", 0, 1, tid=30),
    ]
    result = fixed(text(pairs))
    assert result.analysis.plan.trims == {0: 20_000}
    assert result.lanes() == {"moved": 2}
    verified(result, result.data, tmp_path)


def test_events_left_out_pass(tmp_path: Path) -> None:
    """Untimed and durationless events are compared with what was planned."""
    events = [{**cpu("untimed", 0, 9), "ts": None}, {**cpu("endless", 5, 9), "dur": None}, *work()]
    result = fixed(text(events))
    verified(result, result.data, tmp_path)


@pytest.mark.parametrize("end", [12 * US, 5 * US])
def test_kernels_that_start_together_pass(end: int, tmp_path: Path) -> None:
    """Perfetto cannot tell their arrows apart, in the raw trace no more than in ours."""
    work = [kernel("a", 9 * US, 12 * US, 1), kernel("b", 9 * US, 9 * US + end, 2)]
    launches = [
        cpu(f"launch {i}", i * US, i * US + 500, cat="cuda_runtime", args={"correlation": i})
        for i in (1, 2)
    ]
    flows = [it for i in (0, 1) for it in arrow(i + 1, launches[i], work[i])]
    result = fixed(text([*work, *launches, *flows]))
    verified(result, result.data, tmp_path)


def test_rebased_times_pass(tmp_path: Path) -> None:
    """Times are compared after the shift."""
    base = 1_712_188_800_000_000 * US
    events = [kernel("early", base, base + 1500, 1), kernel("late", base + 1499, base + 2500, 2)]
    result = fixed(text(events))
    assert result.analysis.plan.rebase_ns
    verified(result, result.data, tmp_path)


@pytest.mark.parametrize(
    "name", ["tab\there", 'quote " here', "back\\slash", "end\\", "\u001b[0m", "", "é漢"]
)
def test_names_that_versions_read_differently_pass(name: str, tmp_path: Path) -> None:
    """Escapes and control characters are no difference between file and Perfetto."""
    result = fixed(text([kernel(name, 0, 12, 1), kernel("late", 10, 22, 2)]))
    verified(result, result.data, tmp_path)


@pytest.mark.parametrize("missing", ["name", "cat"])
def test_what_perfetto_shows_alike_counts_as_alike(missing: str, tmp_path: Path) -> None:
    """A text that is missing, empty or, for a name, "[No name]" is one text for the comparison."""
    texts = [{}, {missing: ""}, {"name": "[No name]"}]
    plain = [{**mark("X", i * US), "dur": 1, "name": "a", "cat": "c"} for i in (1, 3, 5, 7)]
    events = [{key: it[key] for key in it if key != missing} for it in plain]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        chosen = [{**events[i], **texts[kind]} for i, kind in enumerate(order)]
        result = fixed(text([*chosen, plain[3]]))
        verified(result, result.data, tmp_path)
