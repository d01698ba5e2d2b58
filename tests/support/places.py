"""Where the recorded traces lie, which are no part of the project's tree."""

from pathlib import Path

TRACES = Path(__file__).resolve().parents[2] / "../shared/traces"

PARTS = {
    "epoch_decimals_rank0.json.gz": "epoch_decimals_rank0.cut.json.gz",
    "mi300_resnet_ddp8_rank0.json.gz": "mi300_resnet_ddp8_rank0.cut1500.json.gz",
    "mi300_xdit_sd35_rank0.json.gz": "mi300_xdit_sd35_rank0.cut3000.json.gz",
    "nccl_args_rank0.json.gz": "nccl_args_rank0.cut.json.gz",
    "resnet50_2021.json.gz": "resnet50_2021.cut1500.json.gz",
}
"""What is read of large traces where every recorded trace is, by file name: see `cut`."""


def recorded(pattern: str = "*.json.gz", without: frozenset[str] = frozenset()) -> list[str]:
    """List the recorded traces, of large ones a part, of a job two ranks, as `real_trace` has them.

    Args:
        pattern: of their names; "**/" begins one that looks into folders, too.
        without: names that are left out.

    Returns:
        At least one, so that there is a test, which skips, where the folder is absent.
    """
    found = sorted(it for it in TRACES.glob(pattern) if it.name not in without)
    alike = [it for it in found if it.parent != TRACES and it not in _first_two(it.parent, found)]
    names = [PARTS.get(it.name, str(it.relative_to(TRACES))) for it in found if it not in alike]
    return sorted(names) or ["mi250_toy.json.gz"]


def _first_two(folder: Path, paths: list[Path]) -> list[Path]:
    return [it for it in paths if it.parent == folder][:2]
