"""Lines have colours that the legend of the page can show."""

from __future__ import annotations

from tp_tools.reporting.line_plots import Points, plot_over_steps, plot_over_time


def test_every_line_has_its_colour() -> None:
    """Memory of two GPUs has a legend, and lines as steps; steps go from point to point."""
    lines = [Points(name, [0, 1], [2, 3], ["a", "b"]) for name in ("GPU 0", "GPU 1")]
    memory, steps = plot_over_time(lines), plot_over_steps(lines, ["#1", "#2"], "ms")
    for plot, shape in ((memory, "hv"), (steps, "linear")):
        assert plot["layout"]["showlegend"]
        assert [trace["name"] for trace in plot["data"]] == ["GPU 0", "GPU 1"]
        assert len({trace["marker"]["color"] for trace in plot["data"]}) == 2
        assert {trace["line"]["shape"] for trace in plot["data"]} == {shape}
