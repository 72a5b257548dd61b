"""What the system page tells of each figure: its label, its unit and what it means. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ingest.metrics import BOUNDS
from ingest.reading import MESSAGES, Code
from ingest.storage import Reason


@dataclass(frozen=True)
class Counter:
    """A total that only grows, shown with its rate. `is_code`: its label is a word of the code."""

    name: str
    label: str
    meaning: str
    is_code: bool = False


@dataclass(frozen=True)
class Gauge:
    """A figure that goes up and down; `of` names the one that it may at most be."""

    name: str
    label: str
    meaning: str
    unit: str = "count"
    of: str = ""


@dataclass(frozen=True)
class Timing:
    """A histogram of seconds."""

    name: str
    label: str
    meaning: str


TIMINGS: Final = (
    Timing("ack_seconds", "Ack", "from a frame's receipt to its ack"),
    Timing("flush_seconds", "Flush", "to write a batch and commit it"),
    Timing("commit_seconds", "Commit", "the COMMIT alone, with the sync of the disk"),
)

QUEUE: Final = (
    Gauge(
        "bytes_in_flight",
        "Budget used",
        "bytes of frames taken and not settled; full, devices are told to wait",
        "bytes",
        of="buffer_bytes",
    ),
    Gauge(
        "readings_pending",
        "Pending readings",
        "taken and not yet committed",
        of="buffer_readings",
    ),
    Gauge("frames_in_flight", "Frames in flight", "taken and not yet acked"),
    Gauge("window", "Window", "frames that each device may have unacked; 0: none are taken"),
    Gauge("plain_waiting", "Held", "plain connections that are not read until there is room"),
)
CONNECTED: Final = (
    Gauge("devices_connected", "Devices", "connections that were let in"),
    Gauge("dashboards", "Dashboards", "open pages that are live"),
    Gauge("exports", "Exports", "under way, as fast as their receivers take them"),
    Gauge("sockets", "WebSockets", "held in all, devices' and dashboards'"),
    Gauge("sockets_waiting", "Waiting", "sockets that have shown no token yet"),
    Gauge(
        "sockets_paused/output", "Do not read", "sockets whose peer does not take what it is told"
    ),
    Gauge("sockets_paused/input", "Not read", "sockets that say more than is taken now"),
)
PROCESS: Final = (
    Gauge("process_resident_memory_bytes", "Memory", "resident, of this process", "bytes"),
    Gauge("process_open_fds", "Open files", "sockets among them", of="process_max_fds"),
    Gauge("tasks", "Tasks", "on the event loop"),
)
GAUGES: Final = {"Queue": QUEUE, "Connected": CONNECTED, "Process": PROCESS}
FRAMES: Final = (
    Counter("frames/taken", "taken", "came in, to be committed"),
    Counter("frames/nacked", "nacked", "not taken now; their devices send them again"),
    Counter(
        "frames/ignored", "ignored", "sent again though settled or in flight, or behind one nacked"
    ),
)
REFUSED: Final = tuple(
    Counter(f"refused_readings/{code}", code, MESSAGES[code], is_code=True) for code in Code
)
BOUND_MEANINGS: Final = {
    "buffer": "what may be taken and not settled, of all devices (WEIR_BUFFER_BYTES)",
    "bytes_per_s": "bytes of a device a second (WEIR_RATE_BYTES_PER_S)",
    "exports": "exports at once (WEIR_EXPORTS)",
    "frame_bytes": "bytes of a frame (WEIR_FRAME_MAX_BYTES)",
    "frame_readings": "readings of a frame (WEIR_FRAME_MAX_READINGS)",
    "frames_per_s": "frames of a device a second (WEIR_RATE_FRAMES_PER_S)",
    "in_flight": "frames of a device that are unacked (WEIR_IN_FLIGHT)",
    "plain_connections": "plain connections of a device (WEIR_PLAIN_CONNECTIONS)",
    "readings_per_s": "readings of a device a second (WEIR_RATE_READINGS_PER_S)",
    "refused_kept": "refused readings kept of a device; the oldest made room (WEIR_REFUSED_KEPT)",
    "sockets": "WebSockets of the hub (WEIR_SOCKETS)",
    "sockets_waiting": "WebSockets that show no token (WEIR_SOCKETS_WAITING)",
    "streams": "streams of a device; the oldest was forgotten (WEIR_STREAMS)",
}
BOUNDS_MET: Final = tuple(
    Counter(f"bounds_met/{bound}", bound, BOUND_MEANINGS[bound], is_code=True) for bound in BOUNDS
)
CLOSE_MEANINGS: Final = {
    "4400": "a message that cannot be one, or a stream's name that was used before",
    "4401": "no token, or one that does not let in",
    "4403": "the token was revoked, or the device disabled",
    "4406": "only other subprotocols were offered",
    "4408": "no token was shown in time",
    "4409": "another connection opened the stream",
    "4413": "a message larger than a frame may be",
    "4429": "too many connections, frames in flight or wrong tokens",
    "4500": "a mistake of the hub's own; its log has it",
    "4503": "the hub ends, is full, or has no database",
}
CUT_MEANINGS: Final = {
    "gone": "the peer had left",
    "no_pong": "did not answer a ping (WEIR_PONG_TIMEOUT_S)",
    "took_nothing": "took not a byte of what waited for it (WEIR_STALL_TIMEOUT_S)",
    "head_too_slow": "the head of a request came too slowly",
    "body_too_slow": "the body of a request came too slowly",
    "body_too_large": "the body of a request was too large",
    "too_many": "more connections than there may be (WEIR_HTTP_CONNECTIONS)",
}
TOKENS: Final = (
    Counter("tokens/admitted", "admitted", "let in"),
    Counter("tokens/wrong", "wrong", "nobody knows them"),
    Counter(
        "tokens/refused", "refused", "revoked, expired, not yet valid, or of a disabled device"
    ),
    Counter("tokens/limited", "limited", "not looked at: too many wrong ones came from an address"),
    Counter("logins_limited", "logins limited", "the same of people's passwords"),
)
DASHBOARDS: Final = (
    Counter("relay_summaries", "summaries sent", "one an interval, by this hub to all dashboards"),
    Counter("relay_dropped", "summaries dropped", "not taken by Redis; told with the next"),
    Counter("summaries", "summaries heard", "of all hubs, by this one"),
    Counter("summaries_refused", "summaries not understood", "as of a hub of another version"),
    Counter("dashboard_updates", "updates sent", "to the dashboards connected here"),
    Counter("dashboard_updates_merged", "updates merged", "into the next, for a slow browser"),
)

# Slug, heading, what the first column has, a line under the heading, and the counters.
TABLES: Final[tuple[tuple[str, str, str, str, tuple[Counter, ...]], ...]] = (
    (
        "refused",
        "Refused readings",
        "Reason",
        "Each was named to its device with this reason; its neighbours were stored.",
        REFUSED,
    ),
    ("frames", "Frames", "Outcome", "Messages with readings, by what became of them.", FRAMES),
    (
        "bounds",
        "Bounds met",
        "Bound",
        "How often something would have gone beyond what it may.",
        BOUNDS_MET,
    ),
    (
        "ended",
        "Connections ended by the hub",
        "Code",
        "Closed by the protocol’s code, or cut without a word.",
        (),
    ),
    ("tokens", "Tokens shown", "Outcome", "What the gate said to those who came.", TOKENS),
    (
        "live",
        "Live view",
        "What",
        "Best effort: what is lost here is made good by the next.",
        DASHBOARDS,
    ),
)

OUTCOMES: Final = {
    "stored": "new, and in the database",
    "duplicate": "stored already",
    "rejected": "refused by name",
    "fenced": "left to another connection",
    "pending": "not committed yet",
}
ALARMS: Final = {
    "unaccounted": (
        "The sum does not add up: readings were taken that are neither settled nor pending."
        " That is a mistake of the hub’s own."
    ),
    "clock_behind_seconds": (
        "This machine’s clock is behind the newest commit. Far behind, nothing is taken until it is"
        " set: see docs/operations.md."
    ),
    "not_durable": (
        "A power cut might lose what is acked, as WEIR_UNSAFE_DURABILITY allows this hub."
    ),
    "board_stale": "No hub’s summaries arrive here: live pages show what is old.",
}


def trouble(reason: Reason) -> str:
    said = f"{str(reason).capitalize()}, and nothing is written"
    if reason is Reason.DAMAGED:
        return f"{said} until the hub is started anew. What to do is in docs/operations.md."
    return f"{said} for now. Acks wait; what was acked is stored, and devices keep the rest."


def ended(closed: Iterable[str], cut: Iterable[str]) -> list[Counter]:
    """Closes by code and cuts by reason: those that have a meaning here, and any other there is."""
    closes = dict.fromkeys(closed, "") | CLOSE_MEANINGS
    cuts = dict.fromkeys(cut, "") | CUT_MEANINGS
    return [
        *(Counter(f"closed/{code}", code, closes[code], is_code=True) for code in sorted(closes)),
        *(Counter(f"connections_cut/{why}", why, cuts[why], is_code=True) for why in cuts),
    ]
