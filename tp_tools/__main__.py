"""Start `tp-tools`: `python -m tp_tools` and the installed command begin here."""

from typing import NoReturn

from tp_tools.processes import signals


def run() -> NoReturn:
    """Run the command line; signals end the process cleanly before the first slow import."""
    with signals.ending():
        from tp_tools.cli import main  # noqa: PLC0415  click takes longer than all that was done so far

        main.run()


if __name__ == "__main__":
    run()
