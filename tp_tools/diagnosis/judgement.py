"""Judge numbers by the rules: rank what costs most, and say it in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.diagnosis.model import Diagnosis
from tp_tools.diagnosis.rules import HIDDEN, KERNELS, RULES
from tp_tools.formatting import percent
from tp_tools.querying.unknown_devices import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.diagnosis.model import Finding
    from tp_tools.diagnosis.numbers import Numbers
    from tp_tools.diagnosis.rules import Rule

MOST = 5
"""Most findings of a diagnosis."""


def judge(
    numbers: Numbers,
    rules: Sequence[Rule] = RULES,
    kernels: Sequence[Rule] = KERNELS,
    hidden: Rule = HIDDEN,
    most: int = MOST,
) -> Diagnosis:
    """Apply the rules.

    Args:
        numbers: of a trace, or of the ranks of a job.
        rules: the rules about time.
        kernels: the rules about kernels that use little of the GPU.
        hidden: the rule about hidden kernels.
        most: how many findings to give at most.

    Returns:
        The findings: faults, most time first, then what computes, then kernels that use little of
        the GPU, most time first, then hidden kernels.
    """
    whole = numbers.gpu_ns
    parts = {
        "compute": numbers.part("compute"),
        "communication": numbers.part("communication"),
        "waiting": numbers.part("waiting"),
        "copies": numbers.part("copy"),
        "idle": numbers.idle_ns,
    }
    if not whole:
        return Diagnosis(_nothing_ran(numbers), whole, len(numbers.devices), parts)
    timed = sorted(_costly(numbers, rules), key=lambda it: (not it.is_fault, -(it.cost_ns or 0)))
    weighty = sorted(_weighty(numbers, kernels), key=lambda it: -(it.weight or 0))
    found, last = [*timed, *weighty], list(_weighty(numbers, [hidden]))
    kept = found[: most - len(last)]
    return Diagnosis(
        summary=_summary(numbers, [*kept, *last]),
        gpu_ns=whole,
        gpus=len(numbers.devices),
        parts=parts,
        findings=(*kept, *last),
        left_out=len(found) - len(kept),
        start_ns=numbers.start_ns,
    )


def _nothing_ran(numbers: Numbers) -> str:
    """Say that nothing can be judged; name a device that the library does not know."""
    if devices := numbers.unknown_devices():
        return f"There is nothing to judge: what was recorded holds {described(devices)}"
    return "Nothing ran on a GPU in what was recorded: there is nothing to judge."


def _costly(numbers: Numbers, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the findings that reach the thresholds of their rules."""
    for rule in rules:
        finding = rule.find(numbers)
        if finding is None or finding.cost_ns is None:
            continue
        if 100 * finding.cost_ns >= rule.min_percent * numbers.gpu_ns:
            yield finding


def _weighty(numbers: Numbers, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield the findings without a cost that weigh as much as the thresholds of their rules."""
    for rule in rules:
        finding = rule.find(numbers)
        if finding is not None and 100 * (finding.weight or 0.0) >= rule.min_percent:
            yield finding


def _summary(numbers: Numbers, findings: list[Finding]) -> str:
    """Say the most costly fault in one sentence, or that there is none."""
    gpus = "the GPUs compute" if len(numbers.devices) > 1 else "the GPU computes"
    computing = f"{gpus} for {percent(numbers.part('compute') / numbers.gpu_ns)} of the time"
    faults = [it for it in findings if it.is_fault and it.cost_ns is not None]
    if not faults:
        but = "".join(f" But {_aside(it)}." for it in findings if it.cost_ns is None)
        return f"Nothing wrong stands out: {computing}.{but}"
    worst = faults[0]
    share = percent((worst.cost_ns or 0) / numbers.gpu_ns)
    return f"{worst.title}: {share} of the GPU time; {computing}."


def _aside(finding: Finding) -> str:
    """Name a finding without a cost within a sentence."""
    name = finding.title[0].lower() + finding.title[1:]
    if finding.kind == HIDDEN.kind:
        return name
    return f"{name} take {percent(finding.weight or 0.0)} of it"
