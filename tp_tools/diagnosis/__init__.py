"""Say what made a trace slow: at most five findings, each with its number and its evidence.

Traces enter `collect`, which loads each once and asks the SQL library. `judge` applies the rules of
`rules.RULES` to the numbers and returns a `Diagnosis`, which `text` writes for people.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.diagnosis.api import diagnose
    from tp_tools.diagnosis.collection import QUERIES, collect
    from tp_tools.diagnosis.judgement import judge
    from tp_tools.diagnosis.model import Diagnosis, Evidence, Finding
    from tp_tools.diagnosis.numbers import Numbers, TraceFacts

__all__ = [
    "QUERIES",
    "Diagnosis",
    "Evidence",
    "Finding",
    "Numbers",
    "TraceFacts",
    "collect",
    "diagnose",
    "judge",
]

__getattr__ = exporter(
    __name__,
    {
        "QUERIES": "collection",
        "Diagnosis": "model",
        "Evidence": "model",
        "Finding": "model",
        "Numbers": "numbers",
        "TraceFacts": "numbers",
        "collect": "collection",
        "diagnose": "api",
        "judge": "judgement",
    },
)
