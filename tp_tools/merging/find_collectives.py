"""Find the collectives of a rank's trace: SQL classifies kernel names, args give the details.

Format of the args: PyTorch's Kineto, libkineto/src/output_json.cpp and
torch/csrc/distributed/c10d/ParamCommsUtils.hpp.
"""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct, field

from tp_tools import engine, library
from tp_tools.alignment import Collectives
from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.chrome.timestamps import microseconds
from tp_tools.merging.annotations import OPS, PARAMS, PREFIX, annotations_around
from tp_tools.merging.collective_args import CollectiveArgs, read_args
from tp_tools.trace.categories import KERNEL, has_category
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED, Scalar, is_phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.files import Source
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints

QUERY = library.check("collective_kinds")

_CATS = KERNEL | {"user_annotation"}
_NO_ARGS = CollectiveArgs()
_MOST_DIGITS = 18  # of a number in quotes
_TOO_LARGE = 1 << 63

_Question = tuple[str, str, str | None, str | None]
"""Category and name of a kernel, `Collective name` and `dtype` of its args."""


class CollectiveFinder(Struct):
    """Finds collectives; asks SQL about each distinct name once.

    Attributes:
        engine: the TraceProcessor that answers; None for the default.
        known: answers by question: the kind and the bytes of an element (0 where unknown); None
            where the kernel is no collective.
    """

    engine: str | None
    known: dict[_Question, tuple[str, int] | None] = field(default_factory=dict)

    def collectives(self, source: Source, trace: Trace, base_ns: int) -> Collectives:
        """Find the collectives of a trace, in order of time.

        A kernel's own args decide, else the annotations around its launch, else its name. One of 51
        days or more is left out: its time must be wrong, and Perfetto rounds such durations.

        Args:
            source: the file; it is read again if a kernel may have args about a collective.
            trace: its columns.
            base_ns: ns to add to its times.

        Raises:
            InputError: the file changed since it was read.
            EngineError: TraceProcessor could not answer.
        """
        may_be = is_phase(trace, "X") & has_category(trace, _CATS) & (trace.ts != UNTIMED)
        events = np.flatnonzero(may_be & (trace.dur >= 0) & (trace.dur < EXACT_BELOW_NS))
        read = dict(read_args(source, trace, events))
        args = {event: it for event, it in read.items() if it.name is not None}
        full = {event: it.full_name for event, it in read.items() if isinstance(it.full_name, str)}
        questions = {
            event: _question(trace, event, args.get(event), full) for event in events.tolist()
        }
        self._ask(questions.values())
        found = [event for event, question in questions.items() if self.known[question]]
        without_args = [event for event in found if event not in args]
        annotated = _args_of_annotations(source, trace, without_args)
        questions |= {event: _question(trace, event, it, full) for event, it in annotated.items()}
        self._ask(questions.values())
        found.sort(key=lambda event: (int(trace.ts[event]), event))
        by = {**dict.fromkeys(args, "args"), **dict.fromkeys(annotated, "annotation")}
        args |= annotated
        rows = [
            _Row.of(
                trace, event, args.get(event), self.known[questions[event]], by.get(event, "name")
            )
            for event in found
        ]
        return _table(trace, np.array(found, np.int64), rows, base_ns)

    def _ask(self, questions: Iterable[_Question]) -> None:
        """Have SQL answer the questions that are not in `known`, and add the answers to it."""
        unknown = list(dict.fromkeys(one for one in questions if one not in self.known))
        if not unknown:
            return
        self.known.update(dict.fromkeys(unknown))
        blocks = _questions_as_json(unknown)
        with engine.load(blocks, source="the names", engine=self.engine) as tp:
            for event, kind, element in engine.run_file(tp, QUERY).rows:
                self.known[unknown[event]] = (kind, element or 0)


def _args_of_annotations(
    source: Source, trace: Trace, events: list[int]
) -> dict[int, CollectiveArgs]:
    """Describe kernels without args by the annotations in which they were launched.

    The name of the innermost annotation gives the kind, without one the args of
    `record_param_comms`, else the name of the op; these args give the group.

    Returns:
        The description of each kernel that has one, by event.
    """
    kernels = [event for event in events if trace.cats[trace.cat[event]] in KERNEL]
    around = annotations_around(trace, np.array(kernels, np.int64))
    params = {mark for marks in around.values() for mark in marks if _name(trace, mark) == PARAMS}
    described = dict(read_args(source, trace, np.array(sorted(params), np.int64))) if params else {}
    found = {}
    for kernel, marks in around.items():
        args = next((described[mark] for mark in marks if mark in described), _NO_ARGS)
        names = [_name(trace, mark) for mark in marks]
        annotated = (text.removeprefix(PREFIX) for text in names if text.startswith(PREFIX))
        of_ops = (text.rpartition("::")[2] for text in names if text.startswith(OPS))
        name = next(chain(annotated, [args.name] * (args.name is not None), of_ops), None)
        if name is not None:
            found[kernel] = msgspec.structs.replace(args, name=name, stream=None)
    return found


def _name(trace: Trace, event: int) -> str:
    """Return the name of an event."""
    name: str = trace.names[trace.name[event]]
    return name


def _question(
    trace: Trace, event: int, args: CollectiveArgs | None, full_names: Mapping[int, str]
) -> _Question:
    """Return the question that classifies an event, by its full name where it has a short one."""
    cat, name = trace.cats[trace.cat[event]], full_names.get(event) or _name(trace, event)
    return cat, name, _text(args.name) if args else None, _text(args.dtype) if args else None


def _text(value: Scalar) -> str | None:
    """Return a value as text; None for null."""
    return None if value is None else str(value)


def _questions_as_json(questions: list[_Question]) -> Iterator[bytes]:
    """Write Chrome JSON with a slice per question.

    Backslashes become slashes: Perfetto v52 misreads a string that ends in one.
    """
    yield b'{"traceEvents":['
    for number, (cat, name, collective, dtype) in enumerate(questions):
        args: dict[str, object] = {"tpt_event": number}
        args |= {"Collective name": collective} if collective else {}
        args |= {"dtype": dtype} if dtype else {}
        event = {"ph": "X", "pid": 1, "tid": 1, "dur": 0, "cat": cat, "name": name, "args": args}
        text = msgspec.json.encode(event).replace(b"\\\\", b"/")
        yield (b",\n" if number else b"") + text[:-1] + b',"ts":%b}' % microseconds(number * 1000)
    yield b"]}"


class _Row(Struct, frozen=True):
    """One collective; see `Collectives`."""

    kind: str
    group: str
    description: str
    members: str
    size: int
    seq: int
    comms_id: str
    stream: int
    nbytes: int
    dtype: str
    recognised: str

    @classmethod
    def of(
        cls,
        trace: Trace,
        event: int,
        args: CollectiveArgs | None,
        known: tuple[str, int] | None,
        recognised: str,
    ) -> _Row:
        """Describe the collective of a kernel.

        Args:
            trace: the rank's columns.
            event: the kernel.
            args: its args about the collective, or those of its annotations; None without either.
            known: SQL's answer: the kind and the bytes of an element.
            recognised: source of the description: "args", "annotation" or "name".
        """
        assert known is not None
        kind, element = known
        args = args or _NO_ARGS
        tid = trace.tracks[trace.track[event]][1]
        nelems = max(_whole(args.nelems_in), _whole(args.nelems_out))
        return cls(
            kind=kind,
            group=_text(args.group) or "",
            description=_text(args.description) or "",
            members=sys.intern(_text(args.members) or ""),  # one text of thousands of ranks
            size=_whole(args.size),
            seq=_whole(args.seq),
            comms_id=_text(args.comms_id) or "",
            stream=_whole(args.stream if args.stream is not None else tid),
            nbytes=_whole(nelems * element) if element and nelems >= 0 else UNKNOWN,
            dtype=_text(args.dtype) or "",
            recognised=recognised,
        )


def _whole(value: Scalar) -> int:
    """Return an integer of 64 bits, also of text such as "8"; UNKNOWN for any other value."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return UNKNOWN
    return value if -_TOO_LARGE <= value < _TOO_LARGE else UNKNOWN


def _table(trace: Trace, events: Ints, rows: list[_Row], base_ns: int) -> Collectives:
    """Return the columns of the rows; row i is of event `events[i]`."""

    def ints(name: str) -> Ints:
        return np.array([getattr(row, name) for row in rows], np.int64)

    ts = trace.ts[events] + base_ns
    return Collectives(
        event=events,
        kind=[row.kind for row in rows],
        group=[row.group for row in rows],
        description=[row.description for row in rows],
        members=[row.members for row in rows],
        size=ints("size"),
        seq=ints("seq"),
        comms_id=[row.comms_id for row in rows],
        stream=ints("stream"),
        nbytes=ints("nbytes"),
        dtype=[row.dtype for row in rows],
        recognised=[row.recognised for row in rows],
        ts=ts,
        end=ts + trace.dur[events],
    )
