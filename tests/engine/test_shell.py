"""A shell is waited for, quoted where it ends, and given up where it never listens."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import program
from tp_tools.engine.shell import HOST, Shell, free_port, is_open
from tp_tools.errors import EngineUnavailable

if TYPE_CHECKING:
    from pathlib import Path


def test_one_that_never_listens_is_given_up(tmp_path: Path) -> None:
    """After the time it has, it is ended and the reason said."""
    path = program(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(EngineUnavailable, match=r"^it does not listen after 0\.2 s$"):
        Shell(path, free_port(), start_s=0.2)


def test_one_that_ends_without_a_word(tmp_path: Path) -> None:
    """The error says so."""
    with pytest.raises(EngineUnavailable, match=r"^it ended without a word$"):
        Shell(program(tmp_path, "raise SystemExit(3)"), free_port())


def test_a_port_is_open_where_somebody_listens() -> None:
    """And free before and after."""
    port = free_port()
    assert not is_open(port)
    with socket.create_server((HOST, port)):
        assert is_open(port)
    assert not is_open(port)
