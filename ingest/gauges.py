"""What is read of a line at the moment of a scrape, each figure with what it means."""

from __future__ import annotations

import asyncio

from ingest.line import Line, now_us
from ingest.metrics import LineCollector
from ingest.storage import Reason


def line_collector(line: Line, loop: asyncio.AbstractEventLoop) -> LineCollector:
    """To be registered while the line is started, on the event loop `loop`."""
    return LineCollector(
        line.tally,
        gauges={
            "weir_frames_in_flight": (
                "Frames taken and not settled",
                lambda: line.budget.frames,
            ),
            "weir_bytes_in_flight": (
                "Bytes of frames taken and not settled, each counted as 256 at least",
                lambda: line.budget.bytes,
            ),
            "weir_buffer_bytes": (
                "How many bytes may be taken and not settled",
                lambda: line.budget.capacity_bytes,
            ),
            "weir_buffer_readings": (
                "How many readings may be taken and not settled",
                lambda: line.budget.capacity_readings,
            ),
            "weir_window": (
                "Frames that a device may have unacked; 0 while none are taken",
                lambda: line.windows.current,
            ),
            "weir_plain_waiting": (
                "Plain connections whose frame waits for room, unread meanwhile",
                lambda: len(line.admission),
            ),
            "weir_clock_behind_seconds": (
                "By how much this machine's clock is behind the newest commit, if it is",
                lambda: line.writer.clock.behind_s(now_us()),
            ),
            "weir_readings_buffered": (
                "Readings that wait for the writer or are being written",
                lambda: line.writer.buffer.readings,
            ),
            "weir_tasks": ("Tasks on the event loop", lambda: len(asyncio.all_tasks(loop))),
            "weir_sockets_waiting": (
                "WebSockets of devices that have shown no token yet",
                lambda: line.places.waiting,
            ),
            "weir_devices_connected": ("Device connections let in", lambda: len(line.connections)),
            "weir_database_in_trouble": (
                "1 while the database cannot be written",
                lambda: float(line.writer.condition.trouble is not None),
            ),
            "weir_database_damaged": (
                "1 once the database turned out to be damaged: nothing more is written",
                lambda: float(line.writer.condition.is_damaged),
            ),
            "weir_durable": (
                "0 where a power cut might lose what is acked, as the hub was told to allow",
                lambda: float(line.writer.condition.weakness is None),
            ),
        },
        counters={
            "weir_flow": ("Windows that devices were told", lambda: line.windows.told),
            "weir_relay_summaries": ("Summaries sent", lambda: line.relay.sent),
            "weir_relay_dropped": (
                "Summaries that the layer did not take",
                lambda: line.relay.dropped,
            ),
        },
        reasons={
            "weir_database_trouble": (
                "1 for why the database cannot be written, while it cannot",
                list(Reason),
                lambda: line.writer.condition.trouble,
            ),
        },
    )
