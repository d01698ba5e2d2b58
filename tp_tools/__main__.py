"""`python -m tp_tools` is `tp-tools`."""

from tp_tools.cli import run

run()
