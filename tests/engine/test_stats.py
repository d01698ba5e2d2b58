"""TraceProcessor's own account of a load."""

import numpy as np
import pytest

from tp_tools.engine.stats import check_loaded, check_whole
from tp_tools.errors import InputError, SqlError, TraceLossError


class Empty:
    """A TraceProcessor that said nothing against a cut-off file, as those before v52 do."""

    source = "cut.json"

    def query(self, _sql: str, _name: str | None = None) -> object:
        """Refuses everything."""
        raise SqlError("no such table: slice")


class Lossy:
    """A TraceProcessor with many losses."""

    source = "lossy.json"

    def query(self, _sql: str, _name: str | None = None) -> object:
        """Gives seven kinds of loss."""
        return FakeResult([(f"loss_{i}", "data_loss", i) for i in range(1, 8)])


class FakeResult:
    """An answer as the package gives it."""

    def __init__(self, table: list[tuple[object, ...]]) -> None:
        self.column_names = ["name", "severity", "count"]
        self.column_count = 3
        self.cells = np.array([cell for row in table for cell in row], dtype=object)


def test_a_missing_table_is_an_input_error() -> None:
    """Without a table `slice`, nothing was read, whatever else was said."""
    with pytest.raises(InputError, match=r"^cut\.json: .*no slices.*cut off"):
        check_loaded(Empty())


def test_the_largest_losses_are_named_first() -> None:
    """Of many losses the largest five are named, and the rest counted."""
    with pytest.raises(TraceLossError, match=r"7 x loss_7, .*3 x loss_3 and 2 more$") as error:
        check_whole(Lossy())
    assert "loss_2" not in str(error.value)
