"""Which series there are, as the writer remembers them between batches: no look-up for a known one.

Learned from committed transactions only: SQLite gives the id of a rolled-back row out again, to
another series.

A device has a bounded number of series. Those it has go on; what would begin one more is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingest.reading import Code
from ingest.storage import Engine, Submission, Watermark

# Beyond either all is forgotten, and learned again. A series costs about 200 bytes to remember.
DEVICES_REMEMBERED: Final = 100_000
SERIES_REMEMBERED: Final = 1_000_000
# How often the series of a device that has no room for more are read again because of a metric that
# is not known: another hub may have begun it. A device that never repeats a name costs no more.
FULL_LOOK_INTERVAL_US: Final = 10_000_000

SeriesByMetric = dict[str, tuple[int, int]]  # metric → (series id, kind)


class Catalogue:
    """The series of the devices that have sent, as one engine has them."""

    def __init__(self, engine: Engine, most: int) -> None:
        """`most`: series a device may have."""
        self._engine = engine
        self._most = most
        self._series: dict[int, SeriesByMetric] = {}
        self._remembered = 0  # series in all
        self._full_us: dict[int, int] = {}  # when a device without room for more was last read
        self._version = -1  # as the watermark counts the changes that void all this

    def resolve(
        self, live: Sequence[Submission], watermark: Watermark, now_us: int
    ) -> tuple[dict[int, SeriesByMetric], dict[int, SeriesByMetric]]:
        """The series of every device in the batch, and which of them are news, if this commits."""
        if watermark.catalogue != self._version or self._is_too_much():
            self._series.clear()
            self._full_us.clear()
            self._remembered = 0
            self._version = watermark.catalogue
        wanted: dict[int, dict[str, int]] = {}
        for submission in live:
            device_id = submission.device_id
            known = self._series.get(device_id, {})
            for run in submission.frame.runs:
                if run.metric not in known:
                    wanted.setdefault(device_id, {}).setdefault(run.metric, run.kind)
        device_ids = sorted(d for d in wanted if not self._is_known_full(d, now_us))
        if not device_ids:
            return self._series, {}
        learned = self._look_up(device_ids)
        missing = [
            (device_id, metric, kind)
            for device_id in device_ids
            for metric, kind in self._that_fit(wanted[device_id], learned[device_id])
        ]
        if missing:
            self._engine.add_series(missing)
            learned = self._look_up(device_ids)
        return self._series | learned, learned

    def remember(self, learned: dict[int, SeriesByMetric], now_us: int) -> None:
        """What was learned in a transaction that is now committed."""
        for device_id, series in learned.items():
            self._remembered += len(series) - len(self._series.get(device_id, ()))
            self._series[device_id] = series
            if len(series) >= self._most:
                self._full_us[device_id] = now_us

    def why_none(self, known: SeriesByMetric) -> Code:
        """Why there is no series for a metric of a device with these: no room, or it is gone."""
        return Code.SERIES_LIMIT if len(known) >= self._most else Code.UNSTORABLE

    def _is_known_full(self, device_id: int, now_us: int) -> bool:
        full_us = self._full_us.get(device_id)
        return full_us is not None and abs(now_us - full_us) < FULL_LOOK_INTERVAL_US

    def _that_fit(self, wanted: dict[str, int], known: SeriesByMetric) -> list[tuple[str, int]]:
        """The metrics to begin of those wanted: first come, first served; sorted, as two hubs must.

        Two that begin some of one device at once may both find room: then it has a few more.
        """
        missing = [(metric, kind) for metric, kind in wanted.items() if metric not in known]
        return sorted(missing[: max(0, self._most - len(known))])

    def _is_too_much(self) -> bool:
        return len(self._series) > DEVICES_REMEMBERED or self._remembered > SERIES_REMEMBERED

    def _look_up(self, device_ids: list[int]) -> dict[int, SeriesByMetric]:
        found: dict[int, SeriesByMetric] = {device_id: {} for device_id in device_ids}
        for device_id, metric, series_id, kind in self._engine.series(device_ids):
            found[device_id][metric] = (series_id, kind)
        return found
