"""Find the command of a command line, run it, and turn errors into exit codes."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

import click

from tp_tools.cli import process
from tp_tools.cli.prose import wrapped
from tp_tools.cli.stages import PATIENCE_KEY, PATIENCE_S
from tp_tools.errors import TpToolsError, UsageError
from tp_tools.files import copies
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

COMMANDS = {
    "fix": "Repair one trace: hidden kernels, inexact times, wrong arrows.",
    "merge": "Merge all ranks of a job on one clock, with right arrows.",
    "query": "Run SQL on a trace, or on every rank of a job.",
    "sql": "List the queries that come with tp-tools, or print one.",
    "diagnose": "Say what made a trace slow: at most five findings, with numbers and next steps.",
    "diff": "Compare two recordings: what became slower, by kernel, collective, idle time.",
    "compare": "Hold a trace of PyTorch against one of Nsight Systems: lost kernels, durations.",
    "gate": "Exit with 1 if a recording is slower than a baseline: for CI and git bisect run.",
    "bisect": "Find the commit that made a program slower, by git bisect.",
    "view": "Open a trace in the Perfetto UI, repaired, offline.",
    "report": "Make one page of tables and plots of a trace or a job.",
    "info": "Say what is in a trace: job, GPUs, streams, steps, collectives, defects.",
}
"""Each command with its line of help; its module is imported when it is called."""

INTERRUPTED = 130
COMPLETE = "_TP_TOOLS_COMPLETE"
"""Environment variable by which a shell asks for completions, as click names it."""

_TRACES = (".json", ".gz", ".zst", ".pftrace", ".perfetto-trace", ".sqlite")
"""Suffixes of words that stand for a file, there or not, rather than for a command."""

READER_LEFT = 141
"""Exit code that a shell reports of a program that SIGPIPE ended; 1 would mean a finding of `fix
--check`."""


DEBUG = "tp_tools.debug"


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a file for `view FILE`; refuse an unknown command with advice."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            if not _is_file(args[0]):
                raise UsageError(f"{args[0]}: is no command. {_advice(args[0])}")
            return super().resolve_command(ctx, ["view", *args])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, and files to view."""
        from tp_tools.cli.options import complete_files  # noqa: PLC0415  not for --help

        return [*super().shell_complete(ctx, incomplete), *complete_files(ctx, None, incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tp_tools.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List `COMMANDS`, so that help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _is_file(name: str) -> bool:
    """Tell whether a word names a file or a folder rather than a command."""
    # any text can be a name, and none raises here
    return name.endswith(_TRACES) or os.path.exists(name)  # noqa: PTH110


def _advice(name: str) -> str:
    """Return advice for an unknown command: a similar one, or the list."""
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"Did you mean {close[0]}?" if close else "`tp-tools --help` lists them."


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tp-tools")
def group() -> None:
    """Make GPU traces tell the truth in Perfetto.

    A file in place of a command is opened, as by view.

    \b
    Examples:
      tp-tools rank0.json.gz
      tp-tools fix rank0.json.gz
      tp-tools query kernels rank0.json.gz
    """


def run(*, patience_s: float = PATIENCE_S) -> NoReturn:
    """Run `main` as a process of its own, with the settings of `process` and of signals.

    Args:
        patience_s: as for `main`.
    """
    code = 0
    threading.excepthook = lambda _: None  # the thread that waits for it reports the error
    with process.settings(), signals.ending():
        try:
            main(patience_s=patience_s)
        except SystemExit as leaving:
            if leaving.code is not None and not isinstance(leaving.code, int):
                raise
            code = leaving.code or 0
    process.end(code)


def main(arguments: Sequence[str] | None = None, *, patience_s: float = PATIENCE_S) -> None:
    """Run the command line; change no setting of the process.

    Args:
        arguments: the words behind "tp-tools"; None for `sys.argv`.
        patience_s: seconds of work before a terminal shows stages.

    Raises:
        SystemExit: with 1 for a finding, 2 to 4 as in `errors`, 130 for an interruption; not raised
            on success.
    """
    context: click.Context | None = None
    words = sys.argv[1:] if arguments is None else list(arguments)
    if arguments is None and COMPLETE in os.environ:
        sys.exit(_complete(os.environ[COMPLETE]))
    try:
        with copies.kept(), group.make_context("tp-tools", words) as context:
            context.meta[PATIENCE_KEY] = patience_s
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
    except Exception as error:  # noqa: BLE001  the outermost layer: a user never meets a traceback
        if context is not None and context.meta.get(DEBUG):
            traceback.print_exc()
        if arguments is None and isinstance(error, OSError):
            _discard_output(error)
        sys.exit(_report(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("tp-tools: interrupted; nothing was left behind.", err=True)
        sys.exit(INTERRUPTED)


def _complete(instruction: str) -> int:
    """Print what a shell asks for: its script of completion, or the completions of a word.

    Returns:
        1 if the instruction is of no shell that click knows, else 0.
    """
    from click.shell_completion import shell_complete  # noqa: PLC0415  for shells only

    return shell_complete(group, {}, "tp-tools", COMPLETE, instruction)


def _in_one_line(error: click.ClickException) -> str:
    """Describe an error of the command line in one line, with the help to read."""
    text = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} See `{context.command_path} --help`."


def _report(error: Exception) -> int:
    """Print an error in one line, and return the exit code."""
    if isinstance(error, TpToolsError):
        click.echo(wrapped(f"tp-tools: {error}", sys.stderr), err=True)
        return error.exit_code
    if isinstance(error, OSError):
        return _report_os_error(error)
    if isinstance(error, MemoryError):
        why = "this machine has no more memory. Give fewer --jobs, or take a larger machine."
    elif isinstance(error, RecursionError):
        why = "an input is nested too deeply to be read."
    else:
        named = " ".join(f"{type(error).__name__}: {error}".split())
        why = f"an error of tp-tools itself: {named}. --debug shows where."
    click.echo(f"tp-tools: {why}", err=True)
    return TpToolsError.exit_code


def _discard_output(error: OSError) -> None:
    """Send the rest of stdout's buffer, which the interpreter writes at its end, to /dev/null.

    Only of a process of our own, and where the error is of no named file, so perhaps of stdout.
    """
    if error.filename is None and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_os_error(error: OSError) -> int:
    """Print an error of a file or of stdout, and return the exit code."""
    if isinstance(error, BrokenPipeError):
        return READER_LEFT  # the reader is gone, so print nothing
    click.echo(f"tp-tools: {error.filename or 'standard output'}: {error.strerror}.", err=True)
    return TpToolsError.exit_code
