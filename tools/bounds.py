"""Repair inputs that are large or hostile in one way, and hold what that takes against bounds.

    python -m tools.bounds                   all of them: 4 minutes of CPU
    python -m tools.bounds --only flow       those whose name holds a word

Each is given to `fix --jobs 1`, in a process of its own. It prints CPU seconds, most memory (1e6
bytes) and how it ended. Exit code 1 if one ended otherwise than it has to, or took more than
`MOST_S` or `MOST_MB`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from isal import igzip

from tp_tools.files import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_S = 200
"""CPU seconds that an input may take; those above are stopped."""
MOST_MB = 2000
"""Megabytes of memory that an input may take."""

HEAD, TAIL = b'{"traceEvents":[\n', b"\n]}"
PART = 64 << 20
"""Bytes of a text that is packed once and written many times."""
REFUSED = 3
"""Exit code of an input that cannot be used."""
_SLICE = b'{"ph":"X","cat":"%s","name":"%s","pid":%d,"tid":%d,"ts":%d,"dur":%d,"args":{%s}}'
_FLOW = b'{"ph":"%s","cat":"ac2g","name":"ac2g","id":1,"pid":%d,"tid":7,"ts":%d,"bp":"e"}'


@dataclass(frozen=True)
class Input:
    """An input, and what has to come of it.

    Attributes:
        name: what is large in it.
        file: the name of its file; the suffix says how it is packed.
        blocks: makes its bytes.
        says: a part of the one line with which it is refused, or of a warning; "" for success.
        is_refused: whether `fix` ends with exit code 3.
        words: options of `fix` besides.
    """

    name: str
    file: str
    blocks: Callable[[], Iterable[bytes]]
    says: str = ""
    is_refused: bool = False
    words: tuple[str, ...] = ()


def trace(events: Callable[..., Iterable[bytes]], *given: object) -> Iterator[bytes]:
    """Yield the text of a trace with the events that a function makes of these arguments."""
    yield HEAD
    for number, event in enumerate(events(*given)):
        yield b",\n" + event if number else event
    yield TAIL


def overlapping(count: int, category: bytes) -> Iterator[bytes]:
    """Yield slices of one row that all overlap each other, 1 us apart."""
    for i in range(count):
        yield _SLICE % (category, b"k", 0, 7, i, count, b"")


def chained(count: int) -> Iterator[bytes]:
    """Yield kernels of which each starts 2 us before the one ahead of it ends."""
    for i in range(count):
        yield _SLICE % (b"kernel", b"k", 0, 7, 10 * i, 12, b'"correlation":%d' % i)


def rows(count: int) -> Iterator[bytes]:
    """Yield slices, each on a thread of its own."""
    for i in range(count):
        yield _SLICE % (b"cpu_op", b"op", 1, i + 1, 10 * i, 8, b"")


def flow_events(count: int) -> Iterator[bytes]:
    """Yield the events of one flow, in one slice."""
    yield _SLICE % (b"cpu_op", b"op", 1, 7, 0, count, b"")
    for i in range(count):
        yield _FLOW % (b"s" if i == 0 else b"f" if i == count - 1 else b"t", 1, i)


def launches(count: int) -> Iterator[bytes]:
    """Yield launch calls, kernels, and arrows that all have one id."""
    for i in range(count):
        args = b'"correlation":%d' % i
        yield _SLICE % (b"cuda_runtime", b"cudaLaunchKernel", 1, 7, 10 * i, 2, args)
        yield _FLOW % (b"s", 1, 10 * i)
        yield _SLICE % (b"kernel", b"k", 0, 7, 10 * i + 4, 4, args)
        yield _FLOW % (b"f", 0, 10 * i + 4)


def two_events(begin: bytes, size: int, end: bytes) -> Iterator[bytes]:
    """Yield a slice whose args begin and end so, `size` bytes each, and one without any behind."""
    args = b'"a":' + begin * size + end * size
    yield _SLICE % (b"cpu_op", b"op", 1, 7, 1, 5, args)
    yield _SLICE % (b"cpu_op", b"op", 1, 7, 9, 5, b"")


def text_of(size: int) -> Iterator[bytes]:
    """Yield a slice that has a text of `size` bytes in its args."""
    yield _SLICE % (b"cpu_op", b"op", 1, 7, 1, 5, b'"a":"' + b"x" * size + b'"')


def gzip_members(begin: bytes, filling: bytes, size: int, end: bytes = b"") -> Iterator[bytes]:
    """Yield the gzip members of a text whose middle is one byte, `size` times."""
    middle = igzip.compress(filling * PART, 1)
    yield igzip.compress(begin, 1)
    yield from repeat(middle, size // PART)
    yield igzip.compress(end, 1)


def plain(begin: bytes, filling: bytes, size: int) -> Iterator[bytes]:
    """Yield a text of a beginning, and of `size` bytes of a filling that is repeated."""
    yield begin
    part = filling * 100_000
    yield from repeat(part, size // len(part))


LONG_NAME = b'{"traceEvents":[{"ph":"X","name":"'
SMALL = b"".join(trace(rows, 2))
LEFT_OUT = "1 damaged event was left out"
NO_END = "no event ends in"

INPUTS = (
    *(
        Input(
            f"{n:,} kernels that all overlap", "in.json", partial(trace, overlapping, n, b"kernel")
        )
        for n in (800, 2_000, 20_000, 100_000)
    ),
    Input("20,000 ops that all overlap", "in.json", partial(trace, overlapping, 20_000, b"cpu_op")),
    Input("10^6 kernels chained by PDL", "in.json", partial(trace, chained, 10**6)),
    Input("100,000 rows of one slice", "in.json", partial(trace, rows, 100_000)),
    Input(
        "100,000 rows, with --verify",
        "in.json",
        partial(trace, rows, 100_000),
        words=("--verify",),
    ),
    Input("10^6 flow events of one id", "in.json", partial(trace, flow_events, 10**6)),
    Input("500,000 launches of one id", "in.json", partial(trace, launches, 500_000)),
    Input(
        "100 MB of text in args",
        "in.json",
        partial(trace, text_of, 10**8),
    ),
    Input(
        "args 10,000 deep",
        "in.json",
        partial(trace, two_events, b"[", 10_000, b"]"),
        says=LEFT_OUT,
    ),
    Input(
        "gzip of 1 GiB in one name",
        "in.json.gz",
        partial(gzip_members, LONG_NAME, b"a", 1 << 30),
        says=NO_END,
        is_refused=True,
    ),
    Input(
        "zstd of the same",
        "in.json.zst",
        partial(plain, LONG_NAME, b"a", 1 << 30),
        says=NO_END,
        is_refused=True,
    ),
    Input(
        "gzip of 2 GiB of zero bytes",
        "in.json.gz",
        partial(gzip_members, b"", b"\0", 2 << 30),
        says="holds no text",
        is_refused=True,
    ),
    Input(
        "gzip of 1 GiB of spaces before a trace",
        "in.json.gz",
        partial(gzip_members, b"", b" ", 1 << 30, SMALL),
        says=NO_END,
        is_refused=True,
    ),
    *(
        Input(
            f"{size >> 20} MiB of {what}",
            "in.json",
            partial(plain, begin, filling, size),
            says,
            is_refused=True,
        )
        for size, what, begin, filling, says in (
            (200 << 20, "opening brackets", b"", b"[", "not as Chrome's trace format wants"),
            (8 << 20, "[1,", b"", b"[1,", "not as Chrome's trace format wants"),
            (8 << 20, "[{", b"", b"[{", "JSON is malformed"),
            (8 << 20, '{"a":', b"", b'{"a":', "has no traceEvents array"),
            (
                8 << 20,
                "brackets in args",
                LONG_NAME + b'a","args":{"a":',
                b"[",
                "nested too deeply",
            ),
        )
    ),
)


def write(given: Input, path: Path) -> None:
    """Write the file of an input."""
    with path.open("wb") as file:
        if path.suffix == ".zst":
            with zstd.writer(file, 3) as sink:
                for block in given.blocks():
                    sink.write(block)
        else:
            file.writelines(given.blocks())


def cost(place: int, folder: Path) -> str:
    """Repair an input; print what that took; return what is wrong with it, "" for nothing.

    A process of its own writes the file: a command that is started has at least the memory of the
    process that starts it, as the kernel counts.
    """
    given = INPUTS[place]
    path, out = folder / given.file, folder / "out.json.gz"
    own = [sys.executable, "-m", "tools.bounds", "--write", str(place), str(path)]
    subprocess.run(own, check=True)  # noqa: S603
    command = [sys.executable, "-m", "tp_tools", "fix", "-q", "-j", "1", *given.words]
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen([*command, str(path), "-o", str(out)], stderr=said)  # noqa: S603
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (MOST_S, MOST_S))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    path.unlink()
    out.unlink(missing_ok=True)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
    ended = words.replace(str(path), path.name) or "success"
    print(f"{given.name:40} {seconds:6.1f} s {megabytes:6.0f} MB  {ended[:110]}", flush=True)
    return fault_of(given, process.returncode, words, seconds, megabytes)


def fault_of(given: Input, code: int, words: str, seconds: float, megabytes: float) -> str:
    """Return what is wrong with how an input ended and what that took, "" for nothing."""
    if code != (REFUSED if given.is_refused else 0) or given.says not in words:
        return f"ended with {code}: {words}"
    if seconds >= MOST_S or megabytes > MOST_MB:
        return f"took {seconds:.1f} s and {megabytes:.0f} MB"
    return ""


def main() -> None:
    """Print a row for each input; exit code 1 if anything was wrong."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--only", default="", help="those whose name holds this")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(INPUTS[int(given.write[0])], Path(given.write[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        wrong = [
            f"{it.name}: {fault}"
            for place, it in enumerate(INPUTS)
            if given.only in it.name and (fault := cost(place, Path(folder)))
        ]
    for fault in wrong:
        print(fault)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
