"""Commands name the traces as a shell takes them."""

from __future__ import annotations

import fnmatch
import shlex

from hypothesis import given
from hypothesis import strategies as st

from tp_tools.reporting.commands import Commands
from tp_tools.reporting.model import Figure

NAMES = st.lists(st.text("ab-0. '*$", min_size=1, max_size=8), min_size=1, max_size=5, unique=True)


@given(NAMES)
def test_a_shell_reads_the_names(names: list[str]) -> None:
    """Each name is one word, whatever it looks like, and is no option."""
    command = Commands(names).of_figure(Figure("k", "title", "text", queries=("gaps",)))
    words = shlex.split(command)
    assert words[:3] == ["tp-tools", "query", "gaps"]
    assert [word.removeprefix("./") for word in words[3:]] == [
        it.removeprefix("./") for it in names
    ]
    assert not any(word.startswith("-") and word != "-" for word in words[3:])


def test_many_names_are_shown_as_a_pattern() -> None:
    """The pattern matches all; a figure's own command gets it too."""
    names = [f"my worker{number}.step_12.json.gz" for number in range(8)]
    commands = Commands(names)
    assert commands.names() == "'my worker'*.step_12.json.gz"
    assert all(fnmatch.fnmatch(name, "my worker*.step_12.json.gz") for name in names)
    figure = Figure("k", "title", "text", command="tp-tools info TRACES")
    assert commands.shown(figure) == "tp-tools info 'my worker'*.step_12.json.gz"
    assert Commands(["a", "b", "c"]).names() == "*"
