"""Find what collectives cost: waits for ranks that come late, the wire, pipeline bubbles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.diagnosis.evidence import part_evidence, some
from tp_tools.diagnosis.model import Evidence, Finding, Place
from tp_tools.formatting import percent, plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.diagnosis.numbers import Numbers, Row

KIND_QUERIES = {
    "all_reduce": "allreduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "all_to_all": "all_to_all",
    "broadcast": "broadcast",
    "send": "send_recv",
    "recv": "send_recv",
    "send_recv": "send_recv",
    "dispatch": "dispatch_combine",
    "combine": "dispatch_combine",
}
"""The query with the bandwidths of a kind of collective."""

_STANDS_OUT = 0.5
"""A rank that causes this share of all waiting stands out."""

_FEW = 2
"""Collectives from which on the first one can stand out."""

_MUCH = 0.3
"""A share of all waiting that is worth telling."""

_LATE = (
    "rank",
    "collectives",
    "times_last",
    "caused_wait_us",
    "late_work_us",
    "late_gaps_us",
    "cause",
    "caused_by",
    "caused_by_us",
)


def waiting(numbers: Numbers) -> Finding | None:
    """Find waits for ranks that come late to collectives."""
    ns, rows = numbers.waiting_ns, numbers.rows("stragglers")
    late = numbers.top("stragglers", "caused_wait_us")
    if ns <= 0 or late is None or not late["caused_wait_us"]:
        return None
    whole = ns + numbers.wire_ns
    caused = sum(row["caused_wait_us"] for row in rows)
    share = late["caused_wait_us"] / caused
    doubts = list(_at_first_collective(numbers))
    if unaligned := numbers.unaligned():
        doubts.append(
            f"The clocks of {plural(unaligned, 'rank')} are taken as they are: between machines "
            "they may be off by more than ranks wait."
        )
    if missing := numbers.missing_ranks():
        doubts.append(
            f"Traces of {plural(missing, 'rank')} are missing: one of these may be later still."
        )
    return Finding(
        kind="waiting",
        title="Waiting for a rank",
        says=f"Ranks wait for the last one for {numbers.of_whole(ns)}, beside which nothing is "
        f"computed; that is {percent(ns / whole)} of the time in which collectives run alone. "
        f"{_who(late, share)}{_cause(numbers, late)}.",
        next_step=_late_advice(late, share),
        cost_ns=ns,
        evidence=(
            part_evidence(numbers, "waiting"),
            Evidence("stragglers", some(late, _LATE)),
        ),
        place=_longest_wait(numbers),
        doubts=tuple(doubts),
    )


def _at_first_collective(numbers: Numbers) -> Iterator[str]:
    """Doubt waits of which many are at the first collective: the cause may not be recorded."""
    waits, arrivals = Counter[int](), dict[int, int]()
    for row in numbers.rows("collectives_by_rank"):
        waits[row["collective"]] += row["wait_us"] or 0
        known = arrivals.get(row["collective"], row["arrival"])
        arrivals[row["collective"]] = min(known, row["arrival"])
    if len(arrivals) < _FEW or not waits.total():
        return
    share = waits[min(arrivals, key=lambda it: arrivals[it])] / waits.total()
    if share >= _MUCH:
        yield (
            f"{percent(share)} of all waiting is at the first collective that was recorded: what "
            "made ranks late there may lie before the recording."
        )


def _who(late: Row, share: float) -> str:
    """Say which rank is waited for, or that they take turns."""
    rank, often = late["rank"], f"{late['times_last']:,} of {late['collectives']:,} collectives"
    if share >= _STANDS_OUT:
        return f"Rank {rank} comes last to {often} and causes {percent(share)} of all waiting"
    return (
        f"Ranks take turns in coming last: rank {rank}, which causes most, causes {percent(share)} "
        f"of all waiting, at {often}"
    )


def _cause(numbers: Numbers, late: Row) -> str:
    """Say what kept the late rank, where that is known."""
    if late["cause"] is None:
        return "; why it is late is not told"
    is_idle = late["cause"] == "idle"
    us = late["late_gaps_us"] if is_idle else late["late_work_us"]
    kept = (
        f"; {'it idles' if is_idle else 'its kernels and copies run'} {micros(us)} longer than the "
    )
    kept += "rank in the middle before collectives to which it comes last"
    if late["caused_by"] is None:
        return kept
    by = numbers.kernel(late["caused_by"])
    return f"{kept}, {micros(late['caused_by_us'])} of that {'before' if is_idle else 'in'} {by}"


def _late_advice(late: Row, share: float) -> str:
    rank = late["rank"]
    if share < _STANDS_OUT:
        return (
            "See what differs from rank to rank in each step: uneven batches, other work of the "
            "CPU such as garbage collection and data; `tp-tools query stragglers` has every rank."
        )
    if late["cause"] == "idle":
        return f"See why the CPU of rank {rank} launches late: `tp-tools query idle` and `gaps`."
    if late["cause"] == "work":
        return (
            f"See why rank {rank} has more to compute or computes slower: uneven batches or "
            "experts, clocks and temperature of its GPU."
        )
    return f"Compare rank {rank} with another one in the timeline before its late collectives."


def _longest_wait(numbers: Numbers) -> Place | None:
    row = numbers.top("collectives_by_rank", "wait_us")
    if row is None or not row["wait_us"]:
        return None
    what = f"waits in {numbers.kernel(row['name'])}"
    return Place(row["rank"], row["arrival"], round(row["wait_us"] * 1000), what)


def _longest_transfer(numbers: Numbers) -> Place | None:
    row = numbers.top("collectives_by_rank", "transfer_us")
    if row is None:
        return None
    what = f"longest: {numbers.kernel(row['name'])}"
    return Place(row["rank"], row["ts"], row["ts_end"] - row["ts"], what)


def _one_collective(numbers: Numbers) -> Iterator[str]:
    """Doubt communication of which a single collective takes more than half."""
    rows = numbers.rows("collectives_by_rank")
    longest = max(rows, key=lambda row: row["ts_end"] - row["ts"], default=None)
    if longest is None:
        return
    own = [row["ts_end"] - row["ts"] for row in rows if row["rank"] == longest["rank"]]
    if len(own) > 1 and 2 * max(own) > sum(own):
        yield (
            f"One of {len(own):,} collectives takes {span(max(own))} of their {span(sum(own))}: "
            "look at that one first."
        )


def communication(numbers: Numbers) -> Finding | None:
    """Find communication that no compute hides, beside waits for ranks."""
    ns = numbers.wire_ns
    if ns <= 0:
        return None
    kinds = Counter[str]()
    for row in numbers.rows("collectives_by_rank"):
        kinds[row["kind"]] += row["ts_end"] - row["ts"]
    kind, kind_ns = kinds.most_common(1)[0] if kinds else ("", 0)
    mostly = ""
    if kind:
        share = percent(kind_ns / sum(kinds.values())) if kind_ns else "0.0 %"
        mostly = f"; {share} of the time of all collectives is {kind}"
    doubts = list(_one_collective(numbers))
    if not numbers.knows_waiting():
        doubts.append(
            "One rank does not show how much of it is waiting for a rank that comes late: give the "
            "traces of all ranks."
        )
    known = ", all ranks having come as far as is known" if numbers.knows_waiting() else ""
    return Finding(
        kind="communication",
        title="Exposed communication",
        says=f"Collectives run for {numbers.of_whole(ns)} while nothing is computed{known}"
        f"{mostly}.",
        next_step="Let them run beside compute (buckets, prefetch, async ops), send less (bf16, "
        "fewer and larger messages), or compare the bandwidth with what the link can do: "
        f"`tp-tools query {KIND_QUERIES.get(kind, 'collectives')}`.",
        cost_ns=ns,
        evidence=(part_evidence(numbers, "communication"),),
        place=_longest_transfer(numbers),
        doubts=tuple(doubts),
    )


def pipeline(numbers: Numbers) -> Finding | None:
    """Find pipeline bubbles."""
    ns = numbers.bubble_ns
    rows = [row for row in numbers.rows("pipeline") if row["part"] == "all" and row["bubble_ns"]]
    if not ns or not rows:
        return None
    most = max(rows, key=lambda row: row["bubble_percent"])
    messages = [row for row in numbers.rows("pipeline") if row["part"] == "message"]
    longest = max(messages, key=lambda row: row["bubble_ns"] or 0)
    columns = ("rank", "device", "message", "bubble_ns", "waiting_ns", "bubble_percent")
    return Finding(
        kind="pipeline",
        title="Pipeline bubbles",
        says=f"Ranks compute nothing for {numbers.of_whole(ns)} while they send or receive; most "
        f"on rank {most['rank']}, {most['bubble_percent']:.1f} % of its time.",
        next_step="More micro-batches, an interleaved schedule (1F1B, zero bubble), stages that "
        "take equally long.",
        cost_ns=ns,
        evidence=(Evidence("pipeline", some(most, columns)),),
        place=Place(longest["rank"], longest["ts"], longest["dur"], f"{longest['kind']}"),
    )


def micros(us: float) -> str:
    """Write a duration in us."""
    return span(round(us * 1000))
