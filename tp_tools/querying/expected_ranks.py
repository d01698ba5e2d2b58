"""Say how many ranks take part in a collective that does not say so itself, over all windows.

It is the most that ever come to one of its kind, process group or stream, and size: what
`tpt_collective_match` calls its sequence, and `tpt_collective_window` looks for in one trace.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARTS = """
INCLUDE PERFETTO MODULE tpt.collective.window;

SELECT
  whole.collective,
  whole.ranks,
  part.kind,
  part.rank,
  part.stream,
  part.bytes,
  part.process_group,
  IFNULL(part.process_group, '') || ' ' || IFNULL(part.members, '') AS team,
  part.group_size
FROM tpt_collective_rank AS part
JOIN tpt_collective_window AS whole USING (match_id);
"""
"""The columns of `Part`."""


class Part(Struct, frozen=True):
    """A rank in a collective; see `tpt_collective_rank`.

    Attributes:
        collective: the number of the collective in the job.
        ranks: how many ranks of the trace have it.
        kind: its kind.
        rank: the rank.
        stream: its stream.
        nbytes: its bytes; None where they are not known.
        process_group: name of its process group; None where it is not known.
        team: the process group and its members.
        group_size: how many ranks take part; None where nothing says it.
    """

    collective: int
    ranks: int
    kind: str
    rank: int | None
    stream: int | None
    nbytes: int | None
    process_group: str | None
    team: str
    group_size: int | None


def expected_ranks(parts: Sequence[Part]) -> dict[int, int]:
    """Return how many ranks take part in each collective.

    Args:
        parts: those of all windows.

    Returns:
        The number by the number of the collective.
    """
    by_stream = _kinds_told_by_stream(parts)
    of: dict[int, tuple[bytes, int | None, int]] = {}
    for part in parts:
        sequence, size, _ = of.get(part.collective, (b"", None, 0))
        sizes = [it for it in (size, part.group_size) if it is not None]
        own = _sequence(part, by_stream)
        of[part.collective] = max(sequence, own), max(sizes, default=None), part.ranks
    most = defaultdict[bytes, int](int)
    for sequence, size, ranks in of.values():
        most[sequence] = max(most[sequence], ranks if size is None else size)
    return {
        number: most[sequence] if size is None else size
        for number, (sequence, size, _) in of.items()
    }


def _kinds_told_by_stream(parts: Iterable[Part]) -> set[str]:
    """Return the kinds for which all ranks use the same streams."""
    used = defaultdict[str, defaultdict[int | None, set[int | None]]](lambda: defaultdict(set))
    for part in parts:
        used[part.kind][part.rank].add(part.stream)
    return {
        kind for kind, ranks in used.items() if len({frozenset(it) for it in ranks.values()}) == 1
    }


def _sequence(part: Part, by_stream: set[str]) -> bytes:
    """Return the sequence of a part, as `tpt_collective_match` writes and compares it."""
    is_by_stream = part.kind in by_stream and part.process_group is None
    stream = part.stream if is_by_stream and part.stream is not None else ""
    nbytes = 0 if part.kind == "all_to_all" else part.nbytes or 0
    return f"{part.kind} {stream} {nbytes} {part.team}".encode()
