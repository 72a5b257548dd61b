"""Which readings of a batch lie before the horizon of their series, and are too old to be stored.

Asked of the engine within the batch's transaction, once, and only where some reading may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.storage import Engine, Submission


class Horizons:
    """The horizons of the series in one batch; `series` as the catalogue resolved them."""

    def __init__(
        self,
        engine: Engine,
        live: Sequence[Submission],
        series: Mapping[int, Mapping[str, tuple[int, int]]],
    ) -> None:
        self._engine = engine
        self._live = live
        self._series = series
        self._kept_from_us: dict[int, int] | None = None

    def too_old(self, series_id: int, times_us: Sequence[int]) -> list[int]:
        """The positions of those times that are before the series' horizon."""
        if self._kept_from_us is None:
            self._kept_from_us = self._engine.horizons(sorted(self._in_batch()))
        kept_from_us = self._kept_from_us.get(series_id)
        if kept_from_us is None:
            return []
        return [position for position, at_us in enumerate(times_us) if at_us < kept_from_us]

    def _in_batch(self) -> set[int]:
        found = set()
        for submission in self._live:
            known = self._series.get(submission.device_id, {})
            found |= {known[run.metric][0] for run in submission.frame.runs if run.metric in known}
        return found
