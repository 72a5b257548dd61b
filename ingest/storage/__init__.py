"""What the writer asks of a database, and what it is told: one contract for both engines.

`transaction` writes a batch, step by step, the same for both; `sqlite` and `postgres` are the
engines it drives. An engine belongs to the thread that opened it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Protocol

from ingest.buffer import Submission
from ingest.hello import Hello, Opened
from ingest.reading import Refusal, Run
from ingest.settlement import Settlement
from ingest.storage.trouble import Collision, Damaged, OutcomeUnknown, Poison, Reason, Trouble

Row = tuple[int, int, Any]  # (time in µs, series id, value)


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far sealing has come, and the count of changes that void what is remembered of series.

    A reading of series `s` is late where it lies before `until(s)`: it is in its rollups already.
    No series has a horizon later than `horizon_us`: what lies before it may be too old.
    """

    from_us: int
    to_us: int
    series_id: int
    catalogue: int
    horizon_us: int

    def until(self, series_id: int) -> int:
        return self.to_us if series_id <= self.series_id else self.from_us


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to move a stream from `first - 1` to `last`: a connection's frames of a batch."""

    stream_id: int
    epoch: int
    first: int
    last: int


def has_moved(claims: Sequence[Claim], held: Mapping[int, tuple[int, int]]) -> bool:
    """Whether a batch with these claims was committed, by the (epoch, committed) of streams.

    Any one proves it: a batch moves all of its streams, or none.
    """
    return any(
        claim.stream_id in held
        and held[claim.stream_id][0] == claim.epoch
        and held[claim.stream_id][1] >= claim.last
        for claim in claims
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch adds to a stream it moves."""

    claim: Claim
    stored: int
    duplicate: int
    rejected: int


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refusal to keep for people."""

    device_id: int
    received_us: int
    seq: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A `hello` of an authenticated device. `key` is only handed back."""

    key: Any
    device_id: int
    hello: Hello


@dataclass(frozen=True, slots=True)
class StreamReused:
    """The name was used before: the hub has committed more than the device ever sent under it."""

    committed: int


class StreamLocked:
    """Another hub's batch still holds the stream: ask again."""


StreamAnswer = Opened | StreamReused | StreamLocked


@dataclass(slots=True)
class Outcome:
    """A committed batch: its settlements, and which of its readings were not stored as sent.

    `unstored` maps `id(run)` to positions in that run; empty means the whole run.
    """

    settlements: list[Settlement]
    written: Sequence[Submission]
    unstored: dict[int, set[int]] = field(default_factory=dict)
    commit_s: float = 0.0  # how long COMMIT took, fsync included
    refusals_dropped: int = 0  # that nobody will see: they were not kept, or made room


@dataclass(slots=True)
class Rows:
    """Readings as an engine takes them, in three columns of one length: no object for each.

    Iterated, they are rows; a tuple a reading would cost a quarter of the writer's time, most of it
    in the garbage collector (`docs/decisions/rows.md`).
    """

    times_us: list[int] = field(default_factory=list)
    series_ids: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.times_us)

    def __iter__(self) -> Iterator[Row]:
        return zip(self.times_us, self.series_ids, self.values, strict=True)

    def __getitem__(self, span: slice) -> Rows:
        return Rows(self.times_us[span], self.series_ids[span], self.values[span])

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            self.times_us + other.times_us,
            self.series_ids + other.series_ids,
            self.values + other.values,
        )

    def without(self, indexes: set[int]) -> Rows:
        """The rows whose place is not among `indexes`."""
        if not indexes:
            return self
        kept = [index not in indexes for index in range(len(self))]
        return Rows(
            list(compress(self.times_us, kept)),
            list(compress(self.series_ids, kept)),
            list(compress(self.values, kept)),
        )


class Engine(Protocol):
    """A database as `transaction` drives it. All may raise Trouble; inserts may raise Poison.

    A step that failed is followed by `rollback`, which also lets go of a connection that is dead or
    stale: the next step has a new one.
    """

    weakness: str | None
    """Why a power cut might lose what is committed; None where it would not."""

    def begin(self, stream_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Begin, and lock the streams in id order: (epoch, committed) by id."""

    def watermark(self) -> Watermark:
        """As it stands now, and stays until this transaction ends."""

    def series(self, device_ids: Sequence[int]) -> list[tuple[int, str, int, int]]:
        """(device id, metric, series id, kind) of every series of these devices."""

    def add_series(self, wanted: Sequence[tuple[int, str, int]]) -> None:
        """Make series of (device id, metric, kind) where none are, and the device still is."""

    def horizons(self, series_ids: Sequence[int]) -> dict[int, int]:
        """From when on the readings of these series are kept, in µs; none, no entry.

        Like the watermark, it stays until this transaction ends.
        """

    def insert(self, rows: Rows, late: Rows) -> tuple[list[tuple[int, Any]], list[tuple[int, Any]]]:
        """Store numbers; for each of the two lists, (index, value stored before) of rows not new.

        `late` rows are folded into their rollups.
        """

    def insert_texts(self, rows: Rows) -> list[tuple[int, Any]]:
        """Store texts; (index, value stored before) of rows that were not new."""

    def move_streams(self, counts: Sequence[Counts], now_us: int) -> None:
        """Move locked streams to their claims' last frames and add the counts."""

    def keep_refused(self, rows: Sequence[RefusedRow], kept_per_device: int) -> int:
        """Keep refusals; the oldest of a device make room, as many as is returned."""

    def touch(self, device_ids: Sequence[int], token_ids: Sequence[int], now_us: int) -> None:
        """Note when devices were last seen and tokens last used."""

    def commit(self) -> None:
        """Make it durable. Raises OutcomeUnknown where no answer came."""

    def rollback(self) -> None:
        """Undo the transaction, if one is open. Never raises."""

    def happened(self, claims: Sequence[Claim]) -> bool:
        """Whether the batch with these claims was committed, after its outcome was unknown."""

    def open_stream(
        self, request: StreamRequest, kept_per_device: int, now_us: int
    ) -> StreamAnswer:
        """Answer a hello, in the open transaction. Never waits for another hub's batch."""

    def seal(self, before_us: int) -> bool:
        """Seal one slice of what is older than `before_us`; True where more is due."""

    def newest_commit_us(self) -> int:
        """When what it knows was committed last, to a minute; 0 where nothing ever was."""

    def ping(self) -> None:
        """Raise Trouble where the database does not take a write."""

    def close(self) -> None:
        """Let go of the connection."""


__all__ = [
    "Claim",
    "Collision",
    "Counts",
    "Damaged",
    "Engine",
    "Outcome",
    "OutcomeUnknown",
    "Poison",
    "Reason",
    "RefusedRow",
    "Row",
    "Rows",
    "Run",
    "Settlement",
    "StreamAnswer",
    "StreamLocked",
    "StreamRequest",
    "StreamReused",
    "Submission",
    "Trouble",
    "Watermark",
    "has_moved",
]
