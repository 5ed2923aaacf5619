"""Sources of records: one file per outside thing, each held to tests/contracts/test_sources.py. `source.py` says what a source is."""

from monitor.sources.source import (
    Absent,
    Assigned,
    Forgotten,
    Gap,
    Note,
    PartitionStatus,
    Reached,
    Recreated,
    Rewound,
    Source,
    SourceStatus,
    Unreadable,
)

__all__ = [
    "Absent",
    "Assigned",
    "Forgotten",
    "Gap",
    "Note",
    "PartitionStatus",
    "Reached",
    "Recreated",
    "Rewound",
    "Source",
    "SourceStatus",
    "Unreadable",
]
