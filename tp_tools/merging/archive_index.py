"""Describe a folder of archives: as an object for JSON, and as a page that loads nothing."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools import notebook
from tp_tools.alignment.alignment import BY_COLLECTIVES
from tp_tools.formatting import plural, size, span
from tp_tools.merging.ranks import some

if TYPE_CHECKING:
    from collections.abc import Iterator


class Rank(Struct, frozen=True):
    """A rank in an archive.

    Attributes:
        rank: its number; its member is `rank{rank}.json`.
        title: such as "rank 3 (TP3)".
        recorded: name of the file that it was read from.
        host: its machine; None where it is not known.
        start_ns, end_ns: its first start and last end, ns after the first event of the job; None
            if no event has a time.
        aligned_by: how its clock was set: `alignment.Aligned.how`.
    """

    rank: int
    title: str
    recorded: str
    host: str | None
    start_ns: int | None
    end_ns: int | None
    aligned_by: str


class Entry(Struct, frozen=True):
    """An archive.

    Attributes:
        file: its name.
        bytes: its size.
        events, slices: how many it holds.
        ranks: its ranks.
    """

    file: str
    bytes: int
    events: int
    slices: int
    ranks: list[Rank]

    @property
    def hosts(self) -> list[str]:
        """Its machines, as far as they are known."""
        return list(dict.fromkeys(rank.host for rank in self.ranks if rank.host))

    @property
    def span(self) -> str:
        """Its first start and last end as text."""
        starts = [it.start_ns for it in self.ranks if it.start_ns is not None]
        ends = [it.end_ns for it in self.ranks if it.end_ns is not None]
        return f"{span(min(starts))} to {span(max(ends))}" if starts and ends else "-"


class Index(Struct, frozen=True):
    """All archives of a job.

    Attributes:
        ranks: how many ranks there are.
        missing_ranks: numbers of the ranks of the job without a file.
        align: how clocks were aligned, as `--align` has it.
        first_ns: the first event of all ranks on the common clock, ns since the epoch.
        clock_groups: how many groups the ranks form of which none shares collectives with another;
            each is fitted in itself, and base times stand between them.
        archives: the archives in order.
    """

    ranks: int
    missing_ranks: list[int]
    align: str
    first_ns: int
    clock_groups: int
    archives: list[Entry]


def page(index: Index) -> str:
    """Write the page: how to open an archive, the archives, their ranks."""
    title = f"{plural(index.ranks, 'rank')} in {plural(len(index.archives), 'archive')}"
    return "".join(_lines(index, title))


def _lines(index: Index, title: str) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
    for text in _clocks(index):
        yield notebook.paragraph(text)
    if index.missing_ranks:
        missing = some(index.missing_ranks)
        yield notebook.paragraph(f"Ranks of the job without a trace: {missing}.")
    yield "\n<h2>Archives</h2>\n"
    yield notebook.paragraph(
        "To open one: in the Perfetto UI v58 or later (ui.perfetto.dev), Open trace file, choose "
        "the .zip; each rank is a machine in it. For one rank alone, take it out and view it:"
    )
    first = index.archives[0]
    member = f"rank{first.ranks[0].rank}.json"
    yield f"<pre>unzip {first.file} {member}\ntp-tools view {member}</pre>\n"
    yield _archives(index)
    yield "\n<h2>Ranks</h2>\n"
    heads = ("rank", "archive", "file in it", "machine", "from", "to", "recorded in")
    yield notebook.table(heads, (_cells(*it) for it in _in_order(index)))
    yield "\n</body>\n</html>\n"


def _clocks(index: Index) -> Iterator[str]:
    """Say what times mean, and how far they can be compared."""
    yield (
        "Times in all archives count from one moment, on clocks that were aligned over the whole "
        "job. Times here count from the first event of all ranks."
    )
    others = [it for of in index.archives for it in of.ranks if it.aligned_by != BY_COLLECTIVES]
    if others:
        yield (
            f"The clocks of {plural(len(others), 'rank')} are not set by collectives: times may "
            "be wrong by as much as these clocks differ."
        )
    if index.clock_groups > 1:
        yield (
            f"The ranks form {index.clock_groups:,} groups that share no collectives with each "
            "other: from group to group times may be wrong by as much as their clocks differ."
        )


def _in_order(index: Index) -> list[tuple[Rank, Entry]]:
    """List the ranks, each with its archive, by number."""
    return sorted(
        ((it, entry) for entry in index.archives for it in entry.ranks), key=lambda it: it[0].rank
    )


def _cells(rank: Rank, entry: Entry) -> tuple[str | None, ...]:
    """Return the row of a rank."""
    member = f"rank{rank.rank}.json"
    times = _time(rank.start_ns), _time(rank.end_ns)
    return rank.title, entry.file, member, rank.host, *times, rank.recorded


def _time(time: int | None) -> str | None:
    return None if time is None else span(time)


def _archives(index: Index) -> str:
    """Write the table of archives, each with a link to its file."""
    heads = (
        "archive",
        "ranks",
        "",
        "machines",
        "size",
        "from the first event to the last",
        "events",
    )
    body = "".join(
        f'<tr><td><a href="{escape(it.file)}">{escape(it.file)}</a></td>'
        + "".join(
            f"<td>{escape(text)}</td>"
            for text in (
                f"{len(it.ranks):,}",
                some(rank.rank for rank in it.ranks),
                some(it.hosts) or "-",
                size(it.bytes),
                it.span,
                f"{it.events:,}",
            )
        )
        + "</tr>\n"
        for it in index.archives
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    "table{border-collapse:collapse}th,td{text-align:left;padding:.2em .8em .2em 0;"
    "border-bottom:1px solid #8884;vertical-align:top}"
    "pre{background:#8882;padding:.6em;overflow-x:auto}"
)
