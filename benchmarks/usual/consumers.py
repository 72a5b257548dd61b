"""The usual consumers: one for devices, one for dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from benchmarks.usual.models import SensorReading


class SensorConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.device = f"sensor-{self.scope['client'][1]}"
        self.frames = 0
        await self.accept()

    async def receive(self, text_data: str = "", bytes_data: bytes | None = None) -> None:
        readings = list(_readings(json.loads(text_data)))
        for time, metric, value in readings:
            await self.save_reading(time, metric, value)
        await self.channel_layer.group_send(
            "dashboards",
            {"type": "sensor.update", "device": self.device, "values": readings[-1][1:]},
        )
        self.frames += 1
        ack = {
            "type": "ack",
            "seq": self.frames,
            "stored": len(readings),
            "duplicate": 0,
            "rejected": 0,
        }
        await self.send(text_data=json.dumps(ack))

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def save_reading(self, time: datetime, metric: str, value: float) -> None:
        SensorReading(device=self.device, metric=metric, value=value, time=time).save()


class DashboardConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add("dashboards", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard("dashboards", self.channel_name)

    async def sensor_update(self, event: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(event))


def _readings(frame: dict[str, Any]) -> Iterator[tuple[datetime, str, float]]:
    if "columns" in frame:
        columns = dict(frame["columns"])
        times = [_moment(ts) for ts in columns.pop("ts")]
        for metric, values in columns.items():
            for time, value in zip(times, values, strict=True):
                yield time, metric, value
        return
    for sample in frame["readings"]:
        for metric, value in sample["values"].items():
            yield _moment(sample["ts"]), metric, value


def _moment(ts: float) -> datetime:
    return datetime.fromtimestamp(ts / 1000, UTC)
