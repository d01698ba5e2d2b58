"""Hold what became of a call that was done elsewhere: its result, or its error."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from msgspec import Struct

from tp_tools.errors import TpToolsError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Returned(Struct, Generic[T], frozen=True):
    """The outcome of a call that returned.

    Attributes:
        value: its result.
    """

    value: T

    def __call__(self) -> T:
        """Return the result."""
        return self.value


class Raised(Struct, frozen=True):
    """The outcome of a call that raised an error.

    Attributes:
        error: the error.
        traceback: where it was raised; "" where nobody knows.
    """

    error: Exception
    traceback: str = ""

    def __call__(self) -> NoReturn:
        """Raise the error."""
        raise self.error from _RemoteTraceback(self.traceback)


class _RemoteTraceback(Exception):  # noqa: N818  never raised itself: the cause of an error
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def attempt(
    call: Callable[[], T], but: type[TpToolsError] | tuple[()] = ()
) -> Returned[T] | Raised:
    """Do a call; return a result or an error of tp-tools as an outcome.

    Args:
        call: the call.
        but: errors of tp-tools that are raised.
    """
    try:
        return Returned(call())
    except but:
        raise
    except TpToolsError as error:
        return Raised(error, traceback.format_exc())
