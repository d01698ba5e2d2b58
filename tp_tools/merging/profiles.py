"""Tell apart the profiles and stages of the traces in a folder, and choose one of them.

SGLang writes profile and stage into the names of files. For other frameworks, two files of one rank
belong to two profiles, which differ by folder, by the pattern of their names, by the size of their
job, or by the time in their names.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.merging.rank_names import parse_file_name
from tp_tools.merging.ranks import collide, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tp_tools.chrome import TraceMetadata
    from tp_tools.merging.probe import Probe
    from tp_tools.merging.rank_names import FileNameInfo, RankChoice

_NONE = "none"
_TOGETHER_S = 60
"""Seconds within which the ranks of one profile begin; before SGLang 0.4.4 the name of each rank
holds its own time."""

_DIGITS_OF_SECONDS = 10
"""Digits of whole seconds since 1970; further digits are fractions."""


def chosen(traces: list[Probe], choice: RankChoice) -> list[Probe]:
    """Return the traces of the chosen profile and stage; all traces if none is chosen.

    Raises:
        InputError: no trace is of the chosen profile or stage.
    """
    traces = _labelled(traces, stages_of(traces), "stage", choice.stage)
    return _labelled(traces, profiles_of(traces), "profile", choice.profile)


def refuse_several(traces: list[Probe], choice: RankChoice) -> None:
    """Refuse traces of several profiles or stages if none is chosen.

    Raises:
        InputError: they are of several.
    """
    _refuse_several(profiles_of(traces), "profile", choice.profile)
    _refuse_several(stages_of(traces), "stage", choice.stage)


def narrow(traces: list[Probe], choice: RankChoice) -> list[Probe]:
    """Return the traces of one profile and stage.

    Raises:
        InputError: there are several and none is chosen, or no trace is of the chosen one.
    """
    found = chosen(traces, choice)
    refuse_several(found, choice)
    return found


def _labelled(traces: list[Probe], labels: list[str], key: str, wanted: str | None) -> list[Probe]:
    if wanted is None:
        return traces
    label = _matching(wanted, set(labels))
    if label is None:
        raise InputError(f"no file is of {key} {wanted!r}; there are: {_counts(labels)}.")
    return [it for it, its in zip(traces, labels, strict=True) if its == label]


def _matching(wanted: str, labels: set[str]) -> str | None:
    """Find the label that equals the wanted text, or else the only label that contains it."""
    if wanted in labels:
        return wanted
    if wanted == _NONE and "" in labels:
        return ""
    holding = [label for label in labels if wanted and wanted.lower() in label.lower()]
    same = [label for label in holding if wanted.lower() == label.lower()]
    found = same or holding
    return found[0] if len(found) == 1 else None


def _refuse_several(labels: list[str], key: str, wanted: str | None) -> None:
    found = set(labels)
    if wanted is None and len(found) > 1:
        raise InputError(
            f"the files are of {len(found)} {key}s: {_counts(labels)}. Choose one with --{key}, "
            "or give the files of one only."
        )


def _counts(labels: list[str]) -> str:
    counts = sorted(Counter(labels).items())
    return some(f"{label or _NONE} ({count})" for label, count in counts)


def stages_of(traces: Sequence[Probe]) -> list[str]:
    """Return the stage of each trace; "" if its name holds none."""
    return [parse_file_name(it.file).stage for it in traces]


def profiles_of(traces: Sequence[Probe]) -> list[str]:
    """Return the profile of each trace, equal for all if the traces are of one job."""
    names = [parse_file_name(it.file) for it in traces]
    given = [name.profile for name in names]
    if len(traces) == 1:
        return given
    given = _by_gaps(traces, names, given)
    if not _collide(traces, names, given):
        return given
    found = [
        labels
        for labels in _partitions(traces, names, given)
        if not _collide(traces, names, labels)
    ]
    return min(found, key=lambda labels: len(set(labels)), default=given)


def _by_gaps(traces: Sequence[Probe], names: list[FileNameInfo], given: list[str]) -> list[str]:
    """Join labels that are times and follow each other within `_TOGETHER_S`.

    Before SGLang 0.4.4 the label of each rank is the time at which it began by its own clock.

    Returns:
        For each trace the first label that its own was joined with; "" for all if that leaves one
        label; `given` if labels are equal or no times, or if files of one rank were joined.
    """
    times = {it: _epoch_seconds(it) for it in given}
    if len(times) < len(given):
        return given
    first, last, labels = "", 0.0, dict[str, str]()
    for label, time in sorted(times.items(), key=lambda it: it[1] or 0.0):
        if time is None:
            return given
        if not first or time - last > _TOGETHER_S:
            first = label
        last, labels[label] = time, first
    found = [labels[it] for it in given]
    is_shared = len(set(found)) < len(found) and not _collide(traces, names, found)
    return given if not is_shared else found if len(set(found)) > 1 else [""] * len(found)


def _epoch_seconds(text: str) -> float | None:
    whole, _, fraction = text.partition(".")
    if (
        not whole.isdecimal()
        or len(whole) < _DIGITS_OF_SECONDS
        or not (fraction or "0").isdecimal()
    ):
        return None
    return float(text) / 10.0 ** (len(whole) - _DIGITS_OF_SECONDS)


def _collide(traces: Sequence[Probe], names: list[FileNameInfo], labels: list[str]) -> bool:
    """Tell whether traces with equal label and stage cannot be of one job."""
    return any(
        collide(_with_metadata([traces[at] for at in group]))
        for group in _groups(zip(labels, (name.stage for name in names), strict=True))
    )


def _groups(keys: Iterable[object]) -> list[list[int]]:
    """Return the indices of equal keys, one list per key."""
    groups = defaultdict[object, list[int]](list)
    for at, key in enumerate(keys):
        groups[key].append(at)
    return list(groups.values())


def _partitions(
    traces: Sequence[Probe], names: list[FileNameInfo], given: list[str]
) -> Iterator[list[str]]:
    """Yield labels that tell traces apart: those of SGLang, joined with more and more signs."""
    sizes = [it.metadata.world_size for it in traces]
    signs = [
        _folders([it.file for it in traces]),
        _patterns(names),
        ["" if size is None else f"{size}-ranks" for size in sizes],
    ]
    signs = [sign for sign in signs if len(set(sign)) > 1]
    for count in range(len(signs) + 1):
        for some_signs in itertools.combinations(signs, count):
            labels = ["/".join(filter(None, it)) for it in zip(given, *some_signs, strict=True)]
            yield labels
            by_time = _by_time(traces, names, labels)
            if by_time:
                yield by_time


def _folders(files: list[str]) -> list[str]:
    """Return the folder of each file: as few of its last names as tell all folders apart."""
    parents = [Path(file).absolute().parent for file in files]
    for depth in range(1, max((len(it.parts) for it in parents), default=1)):
        short = {it: "/".join(it.parts[-depth:]) for it in parents}
        if len(set(short.values())) == len(set(parents)):
            return [short[it] for it in parents]
    return [str(it) for it in parents]


def _patterns(names: list[FileNameInfo]) -> list[str]:
    """Return the pattern of each file's name, or "" for all if a pattern occurs only once.

    A file whose name alone has its pattern may be a copy; a profile has several files.
    """
    patterns = [name.pattern for name in names]
    return patterns if min(Counter(patterns).values()) > 1 else [""] * len(names)


def _by_time(
    traces: Sequence[Probe], names: list[FileNameInfo], labels: list[str]
) -> list[str] | None:
    """Split each profile into rounds by time: the first file of each rank, then the second, ...

    Returns:
        Labels with the time of the round; None if a name holds no time, or if rounds overlap.
    """
    found = list(labels)
    for group in _groups(zip(labels, (name.stage for name in names), strict=True)):
        timed = {at: (_time(names[at].time), traces[at].file) for at in group if names[at].time}
        in_order = sorted(timed, key=lambda at: timed[at])
        rounds = _rounds([_place(traces[at], names[at]) for at in in_order])
        if len(timed) < len(group) or rounds != sorted(rounds):
            return None
        first = {
            it: names[at].time for at, it in reversed(list(zip(in_order, rounds, strict=True)))
        }
        if len(set(first.values())) < len(first):
            return None
        for at, it in zip(in_order, rounds, strict=True):
            found[at] = "/".join(filter(None, (labels[at], first[it])))
    return found


def _rounds(places: list[object]) -> list[int]:
    """Return for each place how often it occurred before."""
    seen = Counter[object]()
    found = []
    for it in places:
        found.append(seen[it])
        seen[it] += 1
    return found


def _place(trace: Probe, name: FileNameInfo) -> object:
    """Return the rank of a file, as far as this file alone tells."""
    if trace.metadata.rank is not None:
        return trace.metadata.rank, name.labels.get("DP")
    return name.hints, *sorted(name.labels.items())


def _time(text: str) -> int:
    """Return a number that grows with the time in a name (seconds since 1970, or a date)."""
    return int("".join(filter(str.isdecimal, text)).ljust(19, "0"))


def _with_metadata(traces: Sequence[Probe]) -> list[tuple[str, TraceMetadata]]:
    return [(it.file, it.metadata) for it in traces]
