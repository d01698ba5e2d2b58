"""The collectives of a rank's trace: SQL says which kernels are some, their args say the rest.

Format of the args: PyTorch's Kineto, libkineto/src/output_json.cpp and
torch/csrc/distributed/c10d/ParamCommsUtils.hpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools import engine, library
from tp_tools.alignment.collectives import UNKNOWN, Collectives
from tp_tools.chrome import reread
from tp_tools.chrome.timestamps import microseconds
from tp_tools.merging.annotations import KERNEL_CATS, PARAMS, PREFIX, annotations_around
from tp_tools.trace.categories import KERNEL, has_category
from tp_tools.trace.model import UNTIMED, Scalar, is_phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.files.source import Source
    from tp_tools.trace.model import Ints, Trace

QUERY = library.check("collective_kinds")

_CATS = KERNEL | {"user_annotation"}
_SAID = b'"Collective name"'


class _Args(
    msgspec.Struct,
    rename={
        "name": "Collective name",
        "nelems_in": "In msg nelems",
        "nelems_out": "Out msg nelems",
        "size": "Group size",
        "group": "Process Group Name",
        "description": "Process Group Description",
        "members": "Process Group Ranks",
        "seq": "Seq",
        "comms_id": "Comms Id",
        "stream": "stream",
    },
):
    """What a kernel says about its collective."""

    name: Scalar = None
    nelems_in: Scalar = None
    nelems_out: Scalar = None
    size: Scalar = None
    dtype: Scalar = None
    group: Scalar = None
    description: Scalar = None
    members: Scalar = None
    seq: Scalar = None
    comms_id: Scalar = None
    stream: Scalar = None


class _Event(msgspec.Struct, gc=False):
    args: msgspec.Raw = msgspec.Raw(b"")


_EVENTS = msgspec.json.Decoder(list[_Event])
_ARGS = msgspec.json.Decoder(_Args)
_NOTHING = _Args()

_Question = tuple[str, str, str | None, str | None]
"""Category, name, what it says it is, element type."""


@dataclass
class CollectiveFinder:
    """Asks SQL what a name stands for, each once.

    Attributes:
        engine: the TraceProcessor to ask; None for the default.
        say: gets lines about things that take seconds.
        known: kind and bytes of an element (0 where unknown) by question; None: no collective.
    """

    engine: str | None
    say: Callable[[str], None]
    known: dict[_Question, tuple[str, int] | None] = field(default_factory=dict)

    def collectives(self, source: Source, trace: Trace, base_ns: int) -> Collectives:
        """The collectives of a trace, in order of time.

        Args:
            source: the file; it is read again if a kernel may say what it is.
            trace: its columns.
            base_ns: what is to be added to its times, ns.

        Raises:
            InputError: the file changed meanwhile.
            EngineError: TraceProcessor could not answer.
        """
        able = is_phase(trace, "X") & has_category(trace, _CATS) & (trace.ts != UNTIMED)
        events = np.flatnonzero(able & (trace.dur >= 0))
        said = dict(_said(source, trace, events))
        asked = {event: _question(trace, event, said.get(event)) for event in events.tolist()}
        self._ask(asked.values())
        found = [event for event, question in asked.items() if self.known[question]]
        around = _said_around(source, trace, [event for event in found if event not in said])
        asked |= {event: _question(trace, event, it) for event, it in around.items()}
        self._ask(asked.values())
        found.sort(key=lambda event: (int(trace.ts[event]), event))
        by = {**dict.fromkeys(said, "args"), **dict.fromkeys(around, "annotation")}
        said |= around
        rows = [
            _Row.of(trace, event, said.get(event), self.known[asked[event]], by.get(event, "name"))
            for event in found
        ]
        return _table(trace, np.array(found, np.int64), rows, base_ns)

    def _ask(self, questions: Iterable[_Question]) -> None:
        listed = list(dict.fromkeys(it for it in questions if it not in self.known))
        if not listed:
            return
        self.known.update(dict.fromkeys(listed))
        blocks = _asked_json(listed)
        with engine.load(blocks, source="the names", engine=self.engine, say=self.say) as tp:
            for event, kind, element in engine.run_file(tp, QUERY).rows:
                self.known[listed[event]] = (kind, element or 0)


def _said_around(source: Source, trace: Trace, silent: list[int]) -> dict[int, _Args]:
    """What the annotations say in which silent kernels were launched.

    The name of the innermost one says the kind; `record_param_comms` says the group, in its args.
    """
    kernels = [event for event in silent if trace.cats[trace.cat[event]] in KERNEL_CATS]
    around = annotations_around(trace, np.array(kernels, np.int64))
    params = {it for marks in around.values() for it in marks if _name(trace, it) == PARAMS}
    told = dict(_said(source, trace, np.array(sorted(params), np.int64))) if params else {}
    found = {}
    for kernel, marks in around.items():
        args = next((told[mark] for mark in marks if mark in told), _NOTHING)
        names = (_name(trace, mark) for mark in marks)
        name = next((it.removeprefix(PREFIX) for it in names if it != PARAMS), args.name)
        if name is not None:
            found[kernel] = msgspec.structs.replace(args, name=name, stream=None)
    return found


def _name(trace: Trace, event: int) -> str:
    name: str = trace.names[trace.name[event]]
    return name


def _said(source: Source, trace: Trace, events: Ints) -> Iterator[tuple[int, _Args]]:
    """What kernels say about their collectives, by event."""
    wanted = np.zeros(len(trace), np.bool_)
    wanted[events] = True
    for span, text in reread.batch_texts(source, trace):
        here = wanted[span.first : span.first + span.count]
        if not here.any() or _SAID not in text:
            continue
        decoded = _EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")
        for i in np.flatnonzero(here).tolist():
            args = bytes(decoded[i].args)
            if _SAID in args:
                yield span.first + i, _ARGS.decode(args)


def _question(trace: Trace, event: int, said: _Args | None) -> _Question:
    cat, name = trace.cats[trace.cat[event]], trace.names[trace.name[event]]
    return cat, name, _text(said.name) if said else None, _text(said.dtype) if said else None


def _text(value: Scalar) -> str | None:
    return None if value is None else str(value)


def _asked_json(questions: list[_Question]) -> Iterator[bytes]:
    """Chrome JSON with a slice per question; v52 misreads a string that ends in a backslash."""
    yield b'{"traceEvents":['
    for number, (cat, name, said, dtype) in enumerate(questions):
        args: dict[str, object] = {"tpt_event": number}
        args |= {"Collective name": said} if said else {}
        args |= {"dtype": dtype} if dtype else {}
        event = {"ph": "X", "pid": 1, "tid": 1, "dur": 0, "cat": cat, "name": name, "args": args}
        text = msgspec.json.encode(event).replace(b"\\\\", b"/")
        yield (b",\n" if number else b"") + text[:-1] + b',"ts":%b}' % microseconds(number * 1000)
    yield b"]}"


@dataclass(frozen=True)
class _Row:
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
        said: _Args | None,
        known: tuple[str, int] | None,
        recognised: str,
    ) -> _Row:
        assert known is not None
        kind, element = known
        args = said or _NOTHING
        tid = trace.tracks[trace.track[event]][1]
        nelems = max(_whole(args.nelems_in), _whole(args.nelems_out))
        return cls(
            kind=kind,
            group=_text(args.group) or "",
            description=_text(args.description) or "",
            members=_text(args.members) or "",
            size=_whole(args.size),
            seq=_whole(args.seq),
            comms_id=_text(args.comms_id) or "",
            stream=_whole(args.stream if args.stream is not None else tid),
            nbytes=nelems * element if element and nelems >= 0 else UNKNOWN,
            dtype=_text(args.dtype) or "",
            recognised=recognised,
        )


def _whole(value: Scalar) -> int:
    """An integer, also one written as text; UNKNOWN for anything else."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else UNKNOWN


def _table(trace: Trace, events: Ints, rows: list[_Row], base_ns: int) -> Collectives:
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
