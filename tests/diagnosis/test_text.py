"""A diagnosis as text and as Markdown."""

from __future__ import annotations

from msgspec.structs import replace

from tp_tools.diagnosis import Diagnosis, Evidence, Finding
from tp_tools.diagnosis.model import Place
from tp_tools.diagnosis.text import markdown, plain

ROW = {"rank": None, "mostly": "f<x>" + "y" * 70, "share": 0.1234567}
FINDING = Finding(
    kind="memory",
    title="Memory calls",
    says="The GPU idles 6.000 ms of 8.000 ms in cudaMalloc.",
    next_step="Keep `tp-tools query idle` in sight.",
    cost_ns=6_000_000,
    evidence=(Evidence("idle", ROW, 2, 3_000),),
    place=Place(3, 12345, 6_000_000, "gap before k<*>"),
    doubts=("One gap.",),
)
HIDDEN = Finding("hidden kernels", "Hidden", "Two.", "Fix.", None, (Evidence("info", {"n": 2}),))
PARTS = {"compute": 2_000_000, "waiting": 0, "idle": 6_000_000}
DIAGNOSIS = Diagnosis("Memory calls: 75.0 %.", 8_000_000, 1, PARTS, (FINDING, HIDDEN), left_out=1)


def test_text_is_wrapped_and_says_all() -> None:
    """Each finding has its cost, doubts, next step, evidence and place; NULLs are left out."""
    assert (
        "\n".join(plain(DIAGNOSIS, 60))
        == """\
Memory calls: 75.0 %.
GPU time from first to last work: 8.000 ms of 1 GPU: compute
25.0 %, idle 75.0 %.

1. Memory calls: 6.000 ms, 75.0 % of the GPU time
   The GPU idles 6.000 ms of 8.000 ms in cudaMalloc.
   But: One gap.
   Next: Keep `tp-tools query idle` in sight.
   From: tp-tools query idle:
         mostly=f<x>yyyyyyyyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyyyyyyyyyyyyy,
         share=0.123457; 2 more rows of 3.000 us
   See: rank 3, ts 12345, for 6.000 ms: gap before k<*>

2. Hidden
   Two.
   Next: Fix.
   From: tp-tools info: n=2

1 smaller finding left out."""
    )


def test_markdown_is_a_list_and_escapes_names() -> None:
    """Templates are no tags; commands in backticks stay as they are."""
    lines = list(markdown(DIAGNOSIS))
    assert lines[:5] == [
        "**Memory calls: 75.0 %.**",
        "",
        "GPU time from first to last work: 8.000 ms of 1 GPU: compute 25.0 %, idle 75.0 %.",
        "",
        "1. **Memory calls**: 6.000 ms, 75.0 % of the GPU time",
    ]
    assert "   See: rank 3, ts 12345, for 6.000 ms: gap before k\\<\\*\\>" in lines
    assert "   Next: Keep `tp-tools query idle` in sight." in lines
    assert "2. **Hidden**" in lines


def test_without_gpu_work_there_is_the_summary_alone() -> None:
    """Nothing else is known."""
    nothing = Diagnosis("Nothing ran.", 0, 0, {})
    assert list(plain(nothing, 60)) == ["Nothing ran."]
    assert list(markdown(nothing)) == ["**Nothing ran.**"]


def test_the_object_has_all_and_plain_numbers() -> None:
    """Shares are per cent with three decimals; a finding that costs nothing has none."""
    made = DIAGNOSIS.as_object()
    assert [it["percent"] for it in made["findings"]] == [75.0, None]
    assert made["findings"][0]["place"]["ts"] == 12345
    assert made["findings"][0]["evidence"][0]["row"]["mostly"].endswith("y" * 70)
    assert made["left_out"] == 1


def test_a_place_comes_with_the_command_that_shows_it() -> None:
    """Its time counts from the start of the trace, exactly; without a command it is as it was."""
    known = replace(DIAGNOSIS, start_ns=2_345)
    lines = list(plain(known, 80, "tp-tools view 'a b.json'"))
    place = lines.index("   See: rank 3, 10.000 us from the start, for 6.000 ms: gap before k<*>")
    assert lines[place + 1] == "        tp-tools view 'a b.json' --at 0.010000ms"
    assert not any("tp-tools view" in line for line in plain(known, 80))
    assert not any("tp-tools view" in line for line in plain(DIAGNOSIS, 80, "tp-tools view a.json"))
    assert "   `tp-tools view a.json --at 0.010000ms`" in markdown(known, "tp-tools view a.json")
