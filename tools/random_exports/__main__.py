"""Compare random exports with the answers of the library."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools import random_exports
from tools.random_exports.comparing import differences


def main() -> None:
    """Compare as many exports as the command line says."""
    parser = argparse.ArgumentParser(
        description=random_exports.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, help="number of exports")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    options = parser.parse_args()
    differing = 0
    for seed in range(options.first, options.first + options.count):
        with tempfile.TemporaryDirectory() as folder:
            lines = differences(seed, Path(folder))
        differing += bool(lines)
        for line in lines:
            print(line)
    print(f"{differing} of {options.count} exports differ.")
    sys.exit(min(differing, 1))


if __name__ == "__main__":
    main()
