"""Open a trace in the Perfetto UI: `tp-tools view`."""

from __future__ import annotations

import os
import sys
import webbrowser
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.cli.options import (
    choice_options,
    console_options,
    duration,
    engine_option,
    limit_options,
    traces_argument,
)
from tp_tools.errors import UsageError
from tp_tools.files import temporary
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.viewer import Server, ViewFile
    from tp_tools.viewer.place import Place
    from tp_tools.viewer.site import Site

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
_HIGHEST_PORT = 65535
_HIGHEST_ID = 1 << 32  # of a slice: TraceProcessor numbers rows with 32 bits
_ONE_PORT = "ui.perfetto.dev fetches from port 9001 and no other"


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts.

    Attributes:
        port: of the server; None for any that is free, or the one that ui.perfetto.dev needs.
    """

    traces: tuple[str, ...]
    choice: RankChoice
    online: bool
    browser: bool
    port: int | None
    raw: bool
    engine: str | None
    place: Place | None = None
    report: bool = False
    native: bool = False


@click.command("view", short_help="Open a trace in the Perfetto UI.")
@traces_argument
@click.option(
    "--online",
    is_flag=True,
    help="Use ui.perfetto.dev, which is newer, in place of the UI that comes with tp-tools. "
    "The trace goes from this machine to your browser and nowhere else.",
)
@click.option(
    "--no-browser",
    "browser",
    is_flag=True,
    default=True,
    flag_value=False,
    help="Start no browser; print the address.",
)
@click.option(
    "--port",
    type=click.IntRange(1, _HIGHEST_PORT),
    metavar="PORT",
    help="Of the server on this machine, for tunnels. Default: any that is free.",
)
@click.option("--raw", is_flag=True, help="Show the file as it is, not as repaired.")
@click.option(
    "--at",
    metavar="ID|TIME",
    help="Begin there: the id of a slice, as queries print it, or a time from the start of the "
    "trace, such as 19.7ms.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Make the page of `tp-tools report`, too: a link in the UI opens it beside the timeline.",
)
@click.option(
    "--native",
    is_flag=True,
    help="Have the trace_processor_shell of --engine or $TP_TOOLS_ENGINE hold the trace, if it is "
    "too large for the browser.",
)
@choice_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    traces: tuple[str, ...],
    online: bool,  # noqa: FBT001  click passes flags by name
    browser: bool,  # noqa: FBT001
    port: int | None,
    raw: bool,  # noqa: FBT001
    at: str | None,
    report: bool,  # noqa: FBT001
    native: bool,  # noqa: FBT001
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Open TRACE in the Perfetto UI, repaired if it needs that.

    The UI comes with tp-tools and runs in your browser; no network is needed. It ends when the page
    is closed, or with Ctrl-C. TRACE is anything that Perfetto opens; - is stdin. Several traces, or
    a folder or glob that holds several, are the ranks of a job: all are shown, as by `tp-tools
    merge`.

    \b
    Examples:
      tp-tools view rank0.json.gz
      tp-tools view rank0.json.gz --no-browser --port 8080
      tp-tools view rank0.json.gz --at 19.7ms
      tp-tools view rank0.json.gz --online
    """
    if online and port is not None:
        raise UsageError(f"leave out --port: {_ONE_PORT}.")
    if online and at is not None:
        raise UsageError("--at needs the UI that comes with tp-tools: leave out --online.")
    if report and (online or raw or "-" in traces):
        raise UsageError(
            "--report is made of a repaired file, and shown beside the UI of tp-tools: leave out "
            "--online and --raw, and name the file."
        )
    if native and (online or port is not None):
        raise UsageError(
            "--native shows the UI on port 10000, whose pages a shell answers: leave out --online "
            "and --port."
        )
    place = None if at is None else _place(at)
    options = Options(traces, choice, online, browser, port, raw, engine, place, report, native)
    run(options, console)


def _place(text: str) -> Place:
    """Read the value of --at.

    Raises:
        click.BadParameter: it is neither an id nor a time.
    """
    from tp_tools.viewer.place import Place  # noqa: PLC0415  not for --help

    if text.isascii() and text.isdigit() and int(text) < _HIGHEST_ID:
        return Place(slice_id=int(text))
    try:
        return Place(time_ns=duration(text))
    except click.BadParameter as error:
        raise UsageError(
            f"--at {text}: write the id of a slice, as in --at 1234, or a time, as in --at 19.7ms."
        ) from error


def run(options: Options, console: Console) -> None:
    """Show a trace until the page is closed, or Ctrl-C ends the server."""
    from tp_tools.cli import view_inputs  # noqa: PLC0415  not for --help
    from tp_tools.files import open_source  # noqa: PLC0415
    from tp_tools.files.missing import refuse_missing  # noqa: PLC0415
    from tp_tools.files.sources import kept_sources  # noqa: PLC0415
    from tp_tools.viewer import (  # noqa: PLC0415
        ViewOptions,
        native_shell,
        perfetto_ui,
        prepare_view,
    )

    for name in options.traces:
        if not any(character in name for character in "*?["):
            refuse_missing(name)
    if options.native:
        native_shell.shell_of(options.engine)  # before any work is done
    inputs = view_inputs.Inputs(options.traces, options.choice, options.engine, options.raw)
    with ExitStack() as stack:
        server = stack.enter_context(_server(options))
        kept = stack.enter_context(kept_sources()) if options.report else None
        folder = stack.enter_context(temporary.folder())
        files = view_inputs.find(inputs, kept, console)
        shown = view_inputs.trace(files, inputs, folder, kept, console)
        source = stack.enter_context(open_source(shown))
        if kept and len(files) == 1:
            source = kept.keep(source)
        how = ViewOptions(folder, options.raw, options.engine)
        view_file = prepare_view(source, how, console)
        view_inputs.say_repairs(view_file, console)
        report = view_inputs.report(files, options.engine, kept, console) if kept else None
        server.site = _site(view_file, options, report)
        if report is not None:
            console.say(f"Report: {server.address(perfetto_ui.REPORT)}")
        with (
            suppress(KeyboardInterrupt),
            signals.interruptible(),
            _shell(view_file, options, console),
        ):  # Ctrl-C is the usual way to end the server
            _open(server.address(), options, console)
            server.serve_until_closed()


@contextmanager
def _shell(view_file: ViewFile, options: Options, console: Console) -> Iterator[None]:
    """Run the native shell with the trace, where one is asked for."""
    from tp_tools.viewer import native_shell  # noqa: PLC0415  not for --help

    if not options.native:
        yield
        return
    shell = native_shell.shell_of(options.engine)
    with ExitStack() as stack:
        with console.stage(f"loading {view_file.name} into {shell.name}"):
            stack.enter_context(native_shell.serving(shell, view_file.path))
        console.say(f"{shell} holds the trace: choose it where the UI asks.")
        yield


def _server(options: Options) -> Server:
    """Open the server first of all, so that a port in use is reported at once."""
    from tp_tools.viewer import Server, native_shell  # noqa: PLC0415
    from tp_tools.viewer.perfetto_ui import ONLINE_PORT  # noqa: PLC0415  not for --help
    from tp_tools.viewer.server import ANY_PORT  # noqa: PLC0415

    if options.native:
        return Server(native_shell.PAGE_PORT, "leave out --native: shells answer pages of it alone")
    if options.online:
        return Server(options.port or ONLINE_PORT, f"leave out --online: {_ONE_PORT}")
    return Server(options.port or ANY_PORT)


def _site(view_file: ViewFile, options: Options, report: bytes | None) -> Site:
    from tp_tools.viewer import perfetto_ui, startup  # noqa: PLC0415  not for --help

    if options.online:
        port = options.port or perfetto_ui.ONLINE_PORT
        return perfetto_ui.online_site(view_file.path, startup.commands(None), port)
    commands = startup.commands(view_file.analysis)
    return perfetto_ui.offline_site(
        None if options.native else view_file.path, view_file.name, commands, options.place, report
    )


def _open(address: str, options: Options, console: Console) -> None:
    """Start a browser, or print the address of the page."""
    end = "Ctrl-C ends this" + ("." if options.online else "; so does closing the page.")
    if options.browser and _has_display() and webbrowser.open(address):
        console.say(f"Opened {address}")
    else:
        if options.browser:
            console.warn("no browser could be started here; open this address in one:")
        click.echo(address)
    console.say(end)


def _has_display() -> bool:
    """Tell whether a browser has a display; without one Python starts one inside the terminal."""
    return sys.platform in {"darwin", "win32"} or any(map(os.environ.get, _DISPLAYS))
