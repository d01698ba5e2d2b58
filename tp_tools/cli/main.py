"""The command `tp-tools`: finds the command that is meant and turns errors into exit codes."""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import click

from tp_tools.errors import TpToolsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "fix": "Repair one trace: hidden kernels, inexact times, wrong arrows.",
    "merge": "Merge all ranks of a job on one clock, with right arrows.",
    "query": "Ask a trace, or every rank of a job, in SQL.",
    "sql": "List the queries that come with tp-tools, or print one.",
    "view": "Open a trace in the Perfetto UI, repaired, offline.",
    "report": "Make one page of tables and plots of a trace or a job.",
    "info": "Say what is in a trace: job, GPUs, streams, steps, collectives, defects.",
}
"""Each command with its line of help; its module is imported when it is called."""

INTERRUPTED = 130
SWITCH_S = 0.0005
NEW_OBJECTS = 20_000
"""As many are made before circles are looked for among them: what is held are columns, and objects
of theirs that refer to no other one."""

DEBUG = "tp_tools.debug"


class _Terminated(SystemExit):
    """A signal ended the process."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With advice for what is no command."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(f"{args[0]}: is no command. {_advice(args[0])}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tp_tools.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """From the table above, so that help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _advice(name: str) -> str:
    if os.path.exists(name):  # noqa: PTH110  any text can be a name, and none raises here
        return f"Say what to do with it, such as: tp-tools info {name}"
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"Did you mean {close[0]}?" if close else "`tp-tools --help` lists them."


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tp-tools")
def group() -> None:
    """Make GPU traces tell the truth in Perfetto.

    \b
    Examples:
      tp-tools fix rank0.json.gz
      tp-tools query kernels rank0.json.gz
    """


def run() -> NoReturn:
    """`main` as a process: what its end frees anyway is not taken apart first."""
    code = 0
    try:
        main()
    except SystemExit as leaving:
        if leaving.code is not None and not isinstance(leaving.code, int):
            raise
        code = leaving.code or 0
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # who read it has left, and was told so
            stream.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 fine, 1 found something, 2 to 4 as in `errors`."""
    _clean_up_when_told_to_end()
    # threads that unpack and pack wait less for their turn
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(NEW_OBJECTS)
    # numpy would start a thread per core for matrices, of which there are none here; and a process
    # without threads has its workers at once
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context: click.Context | None = None
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with group.make_context("tp-tools", given) as context:
            group.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"tp-tools: {_in_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except (TpToolsError, OSError) as error:
        if context is not None and context.meta.get(DEBUG):
            raise
        sys.exit(_told(error))
    except _Terminated as leaving:
        click.echo("tp-tools: terminated; nothing was left behind.", err=True)
        sys.exit(leaving.code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("tp-tools: interrupted; nothing was left behind.", err=True)
        sys.exit(INTERRUPTED)


def _in_one_line(error: click.ClickException) -> str:
    """What is wrong with the command line, and where it is explained."""
    text = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} See `{context.command_path} --help`."


def _told(error: TpToolsError | OSError) -> int:
    """Says what went wrong, if anybody listens; the exit code."""
    if isinstance(error, TpToolsError):
        click.echo(f"tp-tools: {error}", err=True)
        return error.exit_code
    if sys.stdout is not None:
        # so that what is still held for stdout is not tried again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 1  # the reader of our output left; nothing more can be said to it
    click.echo(f"tp-tools: {error.filename or 'standard output'}: {error.strerror}.", err=True)
    return TpToolsError.exit_code


def _clean_up_when_told_to_end() -> None:
    """Signals that end a process do so here too, but not before temporary files are removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> None:
    raise _Terminated(128 + number)
