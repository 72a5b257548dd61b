"""The manifest of a copy: read as it was written, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from project.copies.manifest import (
    Kept,
    Manifest,
    NoManifest,
    Sum,
    differences,
    is_older,
    read,
    why_not,
)

KNOWN = {"devices.0001", "devices.0002", "ingest.0001"}
MANIFEST = Manifest(
    weir="0.1.0",
    engine="sqlite",
    moment="2026-11-23T06:00:00.000Z",
    migrations=["devices.0001", "ingest.0001"],
    tables={"devices_device": 2},
    sums={
        ("ingest_reading", 0): Sum(120, "ab"),
        ("ingest_reading", 3): Sum(7, "cd"),
        ("ingest_textreading", 0): Sum(5, "ef"),
        ("ingest_rollup", 0): Sum(4, "01"),
    },
    files={"weir.sqlite3": Kept(4096, "00ff")},
)


def test_it_is_read_as_it_was_written() -> None:
    assert read(MANIFEST.text()) == MANIFEST


def test_it_counts_readings_of_both_kinds_and_no_rollups() -> None:
    assert MANIFEST.readings == 132
    assert MANIFEST.size_bytes == 4096


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', "null", MANIFEST.text()[:-200]])
def test_a_text_that_is_no_manifest_is_said_to_be_damaged(text: str) -> None:
    with pytest.raises(NoManifest, match="is damaged"):
        read(text)


def test_a_newer_format_is_left_to_the_version_that_made_it() -> None:
    newer = json.loads(MANIFEST.text()) | {"format": 2, "weir": "0.9.0"}
    with pytest.raises(NoManifest, match=r"newer Weir \(0\.9\.0\)"):
        read(json.dumps(newer))


def test_a_copy_of_this_weir_or_an_older_one_is_taken() -> None:
    assert why_not(MANIFEST, "sqlite", KNOWN) is None
    assert is_older(MANIFEST, KNOWN)
    assert not is_older(replace(MANIFEST, migrations=sorted(KNOWN)), KNOWN)


def test_a_copy_with_a_migration_that_is_not_known_is_of_a_newer_weir() -> None:
    newer = replace(MANIFEST, weir="0.9.0", migrations=["devices.0001", "ingest.0009"])
    told = why_not(newer, "sqlite", KNOWN)
    assert told is not None
    assert "newer Weir (0.9.0), whose migration ingest.0009" in told


def test_a_copy_of_the_other_engine_is_not_taken() -> None:
    told = why_not(MANIFEST, "postgresql", KNOWN)
    assert told == "is of sqlite, and DATABASE_URL names postgresql: a copy keeps its engine"


def test_what_is_found_is_held_against_it_range_by_range() -> None:
    assert differences(MANIFEST, MANIFEST.tables, MANIFEST.sums) == []
    found = MANIFEST.sums | {("ingest_reading", 3): Sum(8, "cd"), ("ingest_reading", 4): Sum(1, "")}
    told = differences(MANIFEST, {}, found)
    assert told[0] == "devices_device has 0 rows, not 2"
    assert "ingest_reading of series 3000 to 3999 is 8 rows" in told[1]
    assert "ingest_reading of series 4000 to 4999 is 1 rows" in told[2]
    assert len(told) == 3
