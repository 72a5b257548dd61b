"""The rows of a batch's inserts, and which run of which frame each of them came from."""

from __future__ import annotations

from bisect import bisect_right
from itertools import repeat
from typing import Any

from ingest.reading import Code, Refusal, Run, shown
from ingest.storage import Outcome, Rows, Settlement, Submission


class Segments:
    """Rows of one insert, and the run each stretch of them came from."""

    def __init__(self) -> None:
        self.rows = Rows()
        self._starts: list[int] = []
        self._sources: list[tuple[Settlement, Submission, Run, int]] = []

    def add(self, settlement: Settlement, submission: Submission, run: Run, series_id: int) -> None:
        self._starts.append(len(self.rows))
        self._sources.append((settlement, submission, run, 0))
        rows = self.rows
        rows.times_us.extend(run.times_us)
        rows.series_ids.extend(repeat(series_id, len(run.times_us)))
        rows.values.extend(run.values)

    def add_one(
        self,
        settlement: Settlement,
        submission: Submission,
        run: Run,
        series_id: int,
        position: int,
    ) -> None:
        self._starts.append(len(self.rows))
        self._sources.append((settlement, submission, run, position))
        rows = self.rows
        rows.times_us.append(run.times_us[position])
        rows.series_ids.append(series_id)
        rows.values.append(run.values[position])

    def _source(self, index: int) -> tuple[Settlement, Submission, Run, int]:
        """Whose row it is, and its position in the run."""
        stretch = bisect_right(self._starts, index) - 1
        settlement, submission, run, position = self._sources[stretch]
        return settlement, submission, run, position + index - self._starts[stretch]

    def tell_apart(self, known: list[tuple[int, Any]], outcome: Outcome) -> None:
        """What was stored before is a duplicate where the value is the same, else a conflict.

        `known` are (index of the row, value that is stored), as the engine found them.
        """
        for index, value in known:
            settlement, submission, run, position = self._source(index)
            settlement.stored -= 1
            if run.values[position] == value:
                settlement.duplicate += 1
                continue
            settlement.rejected += 1
            outcome.unstored.setdefault(id(run), set()).add(position)
            sample, sent = run.samples[position], shown(run.values[position])
            refusal = Refusal(Code.CONFLICT, sample, run.metric, value=sent)
            settlement.refusals.append((submission.seq, refusal))
