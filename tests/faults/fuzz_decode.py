"""Coverage-guided fuzzing of the way from a record's bytes to panes: `make fuzz` (atheris; the dependency group `fuzz`).

An input is one poll: its first byte chooses the plan, the rest is cut at b"\\n--\\n" into records. What must hold is what
`account_of` of tests/faults/fuzzed.py holds: nothing raises, every record is folded, refused or counted, and what is kept stays small.

    python tests/faults/fuzz_decode.py FOLDER -max_total_time=60
"""

from __future__ import annotations

import sys
from pathlib import Path

INSTRUMENTED = ["monitor.codecs", "monitor.fold", "monitor.columns", "monitor.counting", "detectors.images"]


def main() -> None:
    import atheris  # not where tests are collected: it is an extra of its own

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.faults.fuzzed import CUT, PLANS, account_of, seeds

    def one(data: bytes) -> None:
        if data:
            account_of(PLANS[data[0] % len(PLANS)], list(data[1:].split(CUT)))

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds()):
        (folder / f"seed-{i:03}").write_bytes(seed)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
