"""What a copy says of itself: by whom it was made, and what must be in it. Pure.

It is written last, so a folder without one is no copy. It holds counts and checksums, no readings.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

FILE: Final = "manifest.json"
FORMAT: Final = 1
SERIES_A_RANGE: Final = 1_000
"""Series whose sums are one line: few enough that a difference says where to look."""

Sums = dict[tuple[str, int], "Sum"]
"""By table and number of the range of series: range n begins at series n × SERIES_A_RANGE."""


class Sum(NamedTuple):
    """What the rows of one table and one range of series come to; `checksum` is the same
    wherever the rows lie."""

    rows: int
    checksum: str


class Kept(NamedTuple):
    """One file of the copy."""

    size_bytes: int
    sha256: str


class NoManifest(Exception):
    """The text is no manifest of a copy; the message is the end of a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """See the module. `moment` is when the one state that was copied was current, ISO 8601."""

    weir: str
    engine: str
    moment: str
    migrations: list[str]
    tables: dict[str, int]
    sums: Sums
    files: dict[str, Kept]

    @property
    def readings(self) -> int:
        return sum(found.rows for (table, _), found in self.sums.items() if "reading" in table)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files.values())

    def text(self) -> str:
        """As it is written to the folder."""
        content = asdict(self) | {
            "format": FORMAT,
            "sums": [
                {"table": table, "series": [first, last], **found._asdict()}
                for (table, number), found in sorted(self.sums.items())
                for first, last in [span(number)]
            ],
            "files": {name: kept._asdict() for name, kept in self.files.items()},
        }
        return json.dumps(content, indent=1) + "\n"


def span(number: int) -> tuple[int, int]:
    """The first and the last series of a range."""
    return number * SERIES_A_RANGE, (number + 1) * SERIES_A_RANGE - 1


def read(text: str) -> Manifest:
    """The manifest in a text. Raises NoManifest."""
    try:
        content = json.loads(text)
        if content["format"] > FORMAT:
            raise NoManifest(f"was made by a newer Weir ({content['weir']}): restore it with that")
        return _read(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoManifest(f"has a {FILE} that is none: it is damaged") from error


def _read(content: Mapping[str, Any]) -> Manifest:
    return Manifest(
        weir=str(content["weir"]),
        engine=str(content["engine"]),
        moment=str(content["moment"]),
        migrations=[str(name) for name in content["migrations"]],
        tables={str(name): int(rows) for name, rows in content["tables"].items()},
        sums={
            (str(line["table"]), int(line["series"][0]) // SERIES_A_RANGE): Sum(
                int(line["rows"]), str(line["checksum"])
            )
            for line in content["sums"]
        },
        files={
            str(name): Kept(int(kept["size_bytes"]), str(kept["sha256"]))
            for name, kept in content["files"].items()
        },
    )


def why_not(manifest: Manifest, engine: str, known_migrations: Collection[str]) -> str | None:
    """Why this Weir on this engine cannot take the copy, as the end of a sentence about it."""
    if manifest.engine != engine:
        return f"is of {manifest.engine}, and DATABASE_URL names {engine}: a copy keeps its engine"
    unknown = sorted(set(manifest.migrations) - set(known_migrations))
    if unknown:
        return (
            f"was made by a newer Weir ({manifest.weir}), whose migration {unknown[0]} this one"
            " does not know: restore it with that version"
        )
    return None


def is_older(manifest: Manifest, known_migrations: Collection[str]) -> bool:
    """Whether the database is to be migrated once it is restored."""
    return bool(set(known_migrations) - set(manifest.migrations))


def differences(wanted: Manifest, tables: Mapping[str, int], sums: Sums) -> Sequence[str]:
    """How what was found is not what the manifest says; no sentences if it is."""
    told = [
        f"{name} has {tables.get(name, 0)} rows, not {rows}"
        for name, rows in wanted.tables.items()
        if tables.get(name, 0) != rows
    ]
    for key in sorted(wanted.sums.keys() | sums.keys()):
        should, found = (there.get(key, Sum(0, "")) for there in (wanted.sums, sums))
        if should != found:
            table, (first, last) = key[0], span(key[1])
            told.append(
                f"{table} of series {first} to {last} is {found.rows} rows with the checksum"
                f" {found.checksum or 'of none'}, not {should.rows} with {should.checksum}"
            )
    return told
