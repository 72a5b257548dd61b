"""Writes a batch in one transaction, the same way on either engine:

    lock the streams ▶ fence who was taken over ▶ watermark ▶ series ▶ refuse what is too old
      ▶ insert ▶ fold late ▶ move the streams ▶ keep refusals ▶ commit

What it remembers between batches it learned from committed transactions only (`catalogue`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ingest.reading import TEXT, Code, Frame, Refusal, Run, shown
from ingest.storage import (
    Claim,
    Counts,
    Engine,
    Outcome,
    OutcomeUnknown,
    Poison,
    RefusedRow,
    Settlement,
    StreamAnswer,
    StreamRequest,
    Submission,
    Watermark,
)
from ingest.storage.catalogue import Catalogue, SeriesByMetric
from ingest.storage.horizons import Horizons
from ingest.storage.segments import Segments

TOUCH_INTERVAL_US: Final = 60_000_000  # last seen and last used are written at most this often
TOUCHED_REMEMBERED: Final = 100_000  # beyond that all is forgotten, and written once more


@dataclass(slots=True)
class Draft:
    """A batch written but not yet committed, and what to remember once it is."""

    outcome: Outcome
    claims: list[Claim]
    learned: dict[int, SeriesByMetric]
    touched: list[tuple[bool, int]]


class Transactions:
    """The batches of one writer on one engine, and what it remembers between them."""

    def __init__(self, engine: Engine, refused_kept: int, metrics: int) -> None:
        """`metrics`: series a device may have; `refused_kept`: its refusals, for people."""
        self.engine = engine
        self.refused_kept = refused_kept
        self._catalogue = Catalogue(engine, metrics)
        self._touched_us: dict[tuple[bool, int], int] = {}
        self._uncertain: Draft | None = None

    def write(self, batch: Sequence[Submission], now_us: int) -> Outcome:
        """Commit a batch. Raises Trouble (nothing is committed), OutcomeUnknown or Poison."""
        try:
            draft = self._write(batch, now_us)
        except BaseException:
            self.engine.rollback()
            raise
        started = time.perf_counter()
        try:
            self.engine.commit()
        except OutcomeUnknown:
            self._uncertain = draft
            raise
        except BaseException:
            self.engine.rollback()
            raise
        draft.outcome.commit_s = time.perf_counter() - started
        self._catalogue.remember(draft.learned, now_us)
        self._touched_us.update((key, now_us) for key in draft.touched)
        return draft.outcome

    def open_streams(
        self, requests: Sequence[StreamRequest], kept_per_device: int, now_us: int
    ) -> list[StreamAnswer]:
        """Answer hellos in one committed transaction, in their order. Raises Trouble or Poison."""
        engine = self.engine
        try:
            engine.begin([])
            answers = [engine.open_stream(request, kept_per_device, now_us) for request in requests]
            engine.commit()
        except BaseException:
            engine.rollback()
            raise
        return answers

    def takes(self, submission: Submission, now_us: int, reading: tuple[Run, int]) -> bool:
        """Whether the database takes this one reading; nothing is stored. Raises Trouble."""
        run, i = reading
        alone = Run(run.metric, run.kind, [run.times_us[i]], [run.values[i]], [run.samples[i]])  # type: ignore[arg-type]
        frame = Frame([alone], readings=1)
        try:
            self._write([replace(submission, frame=frame, stream_id=None)], now_us)
        except Poison:
            return False
        finally:
            self.engine.rollback()
        return True

    def resolve(self) -> Outcome | None:
        """After OutcomeUnknown: the outcome if the batch was committed, else None. Raises Trouble.

        A batch of plain frames alone tells no tale; written again, its readings are duplicates.
        """
        assert self._uncertain is not None
        draft = self._uncertain
        happened = bool(draft.claims) and self.engine.happened(draft.claims)
        self._uncertain = None
        return draft.outcome if happened else None

    def _write(self, batch: Sequence[Submission], now_us: int) -> Draft:
        engine = self.engine
        settlements = _by_connection(batch)
        claims = _claims(batch)
        held = engine.begin(sorted({claim.stream_id for claim in claims.values()}))
        for connection, claim in claims.items():
            if held.get(claim.stream_id) != (claim.epoch, claim.first - 1):
                settlements[connection].fenced = True
        live = [s for s in batch if not settlements[id(s.connection)].fenced]
        watermark = engine.watermark()
        series, learned = self._catalogue.resolve(live, watermark, now_us)
        outcome = Outcome(list(settlements.values()), live)
        self._insert(live, settlements, series, watermark, outcome)
        _refuse_what_was_never_stored(live, settlements)
        moved = [
            Counts(claim, s.stored, s.duplicate, s.rejected)
            for connection, claim in claims.items()
            if not (s := settlements[connection]).fenced
        ]
        engine.move_streams(moved, now_us)
        outcome.refusals_dropped = self._keep_refused(live, settlements, now_us)
        touched = self._touch(live, now_us)
        return Draft(outcome, [counts.claim for counts in moved], learned, touched)

    def _insert(
        self,
        live: Sequence[Submission],
        settlements: dict[int, Settlement],
        series: dict[int, SeriesByMetric],
        watermark: Watermark,
        outcome: Outcome,
    ) -> None:
        numbers, late, texts = Segments(), Segments(), Segments()
        horizons = Horizons(self.engine, live, series)
        for submission in live:
            settlement = settlements[id(submission.connection)]
            known = series.get(submission.device_id, {})
            for run in submission.frame.runs:
                series_id, kind = known.get(run.metric, (0, run.kind))
                times_us = run.times_us
                if not series_id or kind != run.kind:
                    code = Code.KIND_MISMATCH if series_id else self._catalogue.why_none(known)
                    _refuse(settlement, submission, run, range(len(times_us)), code)
                    outcome.unstored[id(run)] = set()
                    continue
                until_us = watermark.until(series_id)
                earliest_us = times_us[0] if len(times_us) == 1 else min(times_us)
                if earliest_us < watermark.horizon_us:  # of some series, perhaps not of this
                    old = horizons.too_old(series_id, times_us)
                    _refuse(settlement, submission, run, old, Code.TOO_OLD)
                    if old:
                        outcome.unstored[id(run)] = set(old) if len(old) < len(times_us) else set()
                        for position in sorted(set(range(len(times_us))).difference(old)):
                            settlement.stored += 1
                            in_time = late if times_us[position] < until_us else numbers
                            part = texts if kind == TEXT else in_time
                            part.add_one(settlement, submission, run, series_id, position)
                        continue
                settlement.stored += len(times_us)
                if kind == TEXT:
                    texts.add(settlement, submission, run, series_id)
                elif len(times_us) == 1:
                    part = late if earliest_us < until_us else numbers
                    part.add_one(settlement, submission, run, series_id, 0)
                elif earliest_us >= until_us:
                    numbers.add(settlement, submission, run, series_id)
                elif max(times_us) < until_us:
                    late.add(settlement, submission, run, series_id)
                else:
                    for position, at_us in enumerate(times_us):
                        part = late if at_us < until_us else numbers
                        part.add_one(settlement, submission, run, series_id, position)
        known_numbers, known_late = self.engine.insert(numbers.rows, late.rows)
        numbers.tell_apart(known_numbers, outcome)
        late.tell_apart(known_late, outcome)
        if len(texts.rows):
            texts.tell_apart(self.engine.insert_texts(texts.rows), outcome)

    def _keep_refused(
        self, live: Sequence[Submission], settlements: dict[int, Settlement], now_us: int
    ) -> int:
        """Keep the newest refusals of each device for people; how many were dropped."""
        rows: list[RefusedRow] = []
        dropped = 0
        for submission in {id(s.connection): s for s in live}.values():
            settlement = settlements[id(submission.connection)]
            newest = settlement.refusals[-self.refused_kept :] if self.refused_kept else []
            dropped += len(settlement.refusals) - len(newest)
            rows.extend(RefusedRow(submission.device_id, now_us, *refused) for refused in newest)
        return dropped + self.engine.keep_refused(rows, self.refused_kept) if rows else dropped

    def _touch(self, live: Sequence[Submission], now_us: int) -> list[tuple[bool, int]]:
        """Note who was seen, (True, device id), and what was used, (False, token id)."""
        touched = self._touched_us
        if len(touched) > TOUCHED_REMEMBERED:
            touched.clear()
        keys = {(True, s.device_id) for s in live} | {(False, s.token_id) for s in live}
        due = sorted(k for k in keys if abs(now_us - touched.get(k, 0)) >= TOUCH_INTERVAL_US)
        if due:
            self.engine.touch(
                [number for is_device, number in due if is_device],
                [number for is_device, number in due if not is_device],
                now_us,
            )
        return due


def _by_connection(batch: Sequence[Submission]) -> dict[int, Settlement]:
    settlements: dict[int, Settlement] = {}
    for submission in batch:
        key = id(submission.connection)
        settlement = settlements.get(key)
        if settlement is None:
            settlement = settlements[key] = Settlement(submission.connection)
        settlement.through = submission.seq
        settlement.readings += submission.frame.readings
    return settlements


def _claims(batch: Sequence[Submission]) -> dict[int, Claim]:
    """By connection, in the batch's order, what each reliable one is to move."""
    spans: dict[int, tuple[int, int, int, int]] = {}
    for s in batch:
        if s.stream_id is not None:
            first = spans[id(s.connection)][2] if id(s.connection) in spans else s.seq
            spans[id(s.connection)] = (s.stream_id, s.epoch, first, s.seq)
    return {connection: Claim(*span) for connection, span in spans.items()}


def _refuse(
    settlement: Settlement, submission: Submission, run: Run, positions: Iterable[int], code: Code
) -> None:
    for position in positions:
        settlement.rejected += 1
        value = shown(run.values[position])
        refusal = Refusal(code, run.samples[position], run.metric, value=value)
        settlement.refusals.append((submission.seq, refusal))


def _refuse_what_was_never_stored(
    live: Sequence[Submission], settlements: dict[int, Settlement]
) -> None:
    """The decoder's refusals join the writer's, each frame's in the order of its samples."""
    for submission in live:
        if submission.frame.refusals:
            settlement = settlements[id(submission.connection)]
            for refusal in submission.frame.refusals:
                settlement.rejected += refusal.count
                settlement.refusals.append((submission.seq, refusal))
    for settlement in settlements.values():
        if len(settlement.refusals) > 1:
            settlement.refusals.sort(key=_order)


def _order(refused: tuple[int, Refusal]) -> tuple[int, str, str, int]:
    seq, refusal = refused
    return seq, refusal.code, refusal.metric or "", -1 if refusal.sample is None else refusal.sample
