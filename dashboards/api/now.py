"""What is known of devices now: by this process's board where it is primed, else by the database.

As the pages do it, so that a page and the API say the same word.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from dashboards import latest
from dashboards.live.present import Counts, DevicePresent, Value
from dashboards.live.routing import board_of
from dashboards.pages.status import Status, status_of
from devices.models import Device, Kind, Series


class Now:
    """The present at `at_ms`, when it was made."""

    def __init__(self, request: HttpRequest) -> None:
        self.at_ms = time.time_ns() // 1_000_000
        board = board_of(request)
        self._board = board if board and board.primed else None

    def uids_that_are(self, words: Collection[Status]) -> list[str]:
        """Of all devices, whoever asks; one statement where there is no board."""
        known = self._board.devices() if self._board else latest.catalogue()
        return [each.uid for each in known if self._status(each) in words]

    def device(self, device: Device) -> dict[str, Any]:
        """What is said of a device in every list."""
        known = self._known(device)
        return {
            "uid": device.uid,
            "name": device.name,
            "status": self._status(known),
            "seen": known.seen_ms,
        }

    def counts(self, device: Device) -> Counts | None:
        """Since the hubs started; None where there is no board to count."""
        return self._known(device).counts if self._board else None

    def values(
        self, devices: Sequence[Device], metrics: Collection[str]
    ) -> dict[int, dict[str, dict[str, Any]]]:
        """Of each device by its id, the latest reading of each metric; no `metrics` are all.

        As many statements for many devices as for one.
        """
        wanted = Series.objects.filter(device__in=devices).order_by("metric")
        series = list(wanted.filter(metric__in=metrics) if metrics else wanted)
        found = self._readings(devices, series)
        values: dict[int, dict[str, dict[str, Any]]] = {device.id: {} for device in devices}
        for one in series:
            if (reading := found.get((one.device_id, one.metric))) is not None:
                at_ms, value = reading
                values[one.device_id][one.metric] = {
                    "time": at_ms,
                    "value": value,
                    "kind": Kind(one.kind).word,
                    "unit": one.unit,
                }
        return values

    def _readings(
        self, devices: Sequence[Device], series: Sequence[Series]
    ) -> dict[tuple[int, str], tuple[float, Value]]:
        """By the device's id and the metric."""
        if self._board:
            return {
                (device.id, metric): reading
                for device in devices
                for metric, reading in self._known(device).values.items()
            }
        found = latest.latest(series)
        known = (one for one in series if one.id in found)
        return {
            (one.device_id, one.metric): (found[one.id][0] / 1_000, found[one.id][1])
            for one in known
        }

    def _known(self, device: Device) -> DevicePresent:
        return (self._board and self._board.device(device.uid)) or latest.present(device)

    def _status(self, device: DevicePresent) -> Status:
        return status_of(
            device.seen_ms, self.at_ms, device.interval_s, settings.OPTIONS.relay_interval_s
        )
