"""Tables for terminals: they fit, they line up, and no number in them is rounded in secret."""

from __future__ import annotations

import pytest

from tp_tools.cli.table import Table, table
from tp_tools.engine import Rows

GEMM = "nvjet_tst_192x192_64x4_2x1_v_bz_coopA_TNN"
FILL = (
    "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, "
    "std::array<char*, 1ul> >(int, at::native::FillFunctor<float>, std::array<char*, 1ul>)"
)
KERNELS = Rows(
    ("name", "kind", "count", "total_ns", "mean_ns", "launch_to_start_ns", "share", "stream"),
    [
        (FILL, "compute", 1234, 123_456_789_012, 100_046_020.3, None, 0.98765, 1007),
        (GEMM, "compute", 1, 1_500_000, 1_500_000.0, 2048, 0.0000121, 7),
        (None, "copy", 0, 0, None, -5, 0.0, None),
    ],
)

AT_80 = """\
                                                                         launch_
                                                                             to_
                                                                          start_
name                     kind     count         total_ns        mean_ns       ns
-----------------------  -------  -----  ---------------  -------------  -------
void at::n...ar*, 1ul>)  compute  1,234  123,456,789,012  100,046,020.3        -
nvjet_tst_..._coopA_TNN  compute      1        1,500,000    1,500,000.0    2,048
-                        copy         0                0              -       -5
"""

AT_100 = """\
                                                                            launch_
                                                                                to_
                                                                             start_
name                        kind     count         total_ns        mean_ns       ns    share  stream
--------------------------  -------  -----  ---------------  -------------  -------  -------  ------
void at::na...char*, 1ul>)  compute  1,234  123,456,789,012  100,046,020.3        -   0.9877    1007
nvjet_tst_1...bz_coopA_TNN  compute      1        1,500,000    1,500,000.0    2,048  1.2e-05       7
-                           copy         0                0              -       -5   0.0000       -
"""


@pytest.mark.parametrize(
    ("width", "snapshot", "left_out"), [(80, AT_80, ["share", "stream"]), (100, AT_100, [])]
)
def test_a_table_of_kernels(width: int, snapshot: str, left_out: list[str]) -> None:
    """Names are shortened in their middle, headers broken at underscores, columns left out last."""
    laid_out = table(KERNELS, width)
    assert laid_out.lines == snapshot.splitlines()
    assert laid_out.left_out == left_out


@pytest.mark.parametrize("width", range(20, 200, 7))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Lines fit, and what does not fit is named: no column goes missing."""
    laid_out = table(KERNELS, width)
    assert max(map(len, laid_out.lines)) <= width
    heads = "".join(laid_out.lines[:-4]).replace(" ", "")
    shown = len(KERNELS.columns) - len(laid_out.left_out)
    assert laid_out.lines[-4].count("  ") == shown - 1
    assert laid_out.left_out == list(KERNELS.columns[shown:])
    assert all(name.rpartition("_")[2] in heads for name in KERNELS.columns[:shown])


def test_without_a_width_no_column_is_left_out() -> None:
    """In a pipe all columns are there, and text of a hundred characters."""
    laid_out = table(KERNELS)
    assert laid_out.left_out == []
    assert laid_out.lines[0].split() == list(KERNELS.columns)
    assert laid_out.lines[2].startswith(FILL[:48] + "...")
    assert laid_out.lines[3].startswith(GEMM + " ")


TURNED = """\
rank                                        0      10
device                                      0       0
ts                        682,725,898,082,228       -
communication_ns                  396,199,000       1
exposed_communication_ns          336,983,000       0
busy_percent                             23.8   100.0
kind                                  compute  copies
"""


def test_a_short_answer_is_turned() -> None:
    """Few rows of many numbers stand upright where that shows every column."""
    names = [line.split()[0] for line in TURNED.splitlines()]
    first = (0, 0, 682725898082228, 396199000, 336983000, 23.84, "compute")
    second = (10, 0, None, 1, 0, 100.0, "copies")
    assert table(Rows(tuple(names), [first, second]), 60) == Table(TURNED.splitlines(), [])
    assert table(Rows(tuple(names), [first] * 4), 60).left_out == names[4:]


def cells(name: str, *values: object) -> list[str]:
    """A column's cells as they are shown."""
    lines = table(Rows((name,), [(value,) for value in values])).lines
    return [line.strip() for line in lines[2:]]


def test_whole_numbers_are_exact() -> None:
    """Integers keep every digit, past what a float holds; 0 is 0 and NULL is not."""
    assert cells("dur", 2**63 - 1, -1234, 0, None) == [
        "9,223,372,036,854,775,807",
        "-1,234",
        "0",
        "-",
    ]


@pytest.mark.parametrize(
    "name", ["pid", "stream", "rank", "slice_id", "external_id", "correlation"]
)
def test_identifiers_are_not_counted(name: str) -> None:
    """Numbers that name something stand as one would type them."""
    assert cells(name, 6583, 12) == ["6583", "12"]


def test_fractions_line_up() -> None:
    """A column of fractions has as many decimals as its largest number needs; none becomes zero."""
    assert cells("share", 0.98765, 0.5, 0.0) == ["0.9877", "0.5000", "0.0000"]
    assert cells("gbps", 12345.678, 0.25, None) == ["12,345.7", "0.2", "-"]
    assert cells("share", 0.5, 1.2e-9) == ["0.5000", "1.2e-09"]
    assert cells("ratio", float("inf"), 2.0) == ["inf", "2.000"]


def test_text_cannot_break_the_table() -> None:
    """A name with a line break or an escape sequence stays one line of plain text."""
    assert cells("name", "a\nb", "\x1b[31mred", "é") == ["a b", "[31mred", "é"]


def test_empty_answers() -> None:
    """No rows are a header, no columns are nothing."""
    assert table(Rows(("ts", "name"), []), 80).lines == ["ts  name", "--  ----"]
    assert table(Rows((), []), 80).lines == [""]
