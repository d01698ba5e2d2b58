"""Help that a person meets first: every command has one, with an example laid out as written."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tp_tools.cli.main import COMMANDS, group


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    """The examples stand one to a line, as they are typed, under the command's own line of help."""
    lines = CliRunner().invoke(group, [name, "--help"], prog_name="tp-tools").output.splitlines()
    assert not [line for line in lines if "\\b" in line]
    assert [line for line in lines if line.startswith(f"    tp-tools {name}")]


def test_the_list_of_commands_names_each() -> None:
    """`tp-tools --help` lists all commands, each with its line, and an example."""
    output = CliRunner().invoke(group, ["--help"], prog_name="tp-tools").output
    assert all(f"  {name} " in output for name in COMMANDS)
    assert "    tp-tools fix rank0.json.gz\n" in output
