"""Where the recorded traces lie, which are no part of the project's tree."""

from pathlib import Path

TRACES = Path(__file__).resolve().parents[2] / "../shared/traces"
