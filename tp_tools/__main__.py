"""`python -m tp_tools` is `tp-tools`."""

from tp_tools.cli.main import run

run()
