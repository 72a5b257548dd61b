"""One measurement of each kind: starts what it takes, has it work, and works out the figures."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks import ROOT, Trouble, servers
from benchmarks.client import Order
from benchmarks.databases import LOGIN, Database, run
from benchmarks.figures import Figures
from benchmarks.machine import pinned
from benchmarks.servers import Server
from benchmarks.shapes import Shape
from benchmarks.timeline import Timeline
from benchmarks.usage import Usage, busy_s, peak_bytes, used

STARTUP_S: Final = 4.0
DEVICES_CONNECTED_PER_S: Final = 300
"""From the choice of a run's place in time to its first frame, with some to spare."""

Serve = Callable[[Database, float], Server]
_NONE: Final[Mapping[str, tuple[int, ...]]] = {}

GRACE_S: Final = 1.5
"""Of sealing, beyond the clocks' being behind: what is in flight longer than that is late."""

OPEN_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long, or how much, a measurement takes."""

    usual_s: float
    closed_s: float
    open_s: float
    bare_readings: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client reported, and what the server used from its first frame to its last ack."""

    result: dict[str, Any]
    client_busy: float
    parts: dict[str, Usage]
    """Of the server and of what it needs, each by itself."""
    foreign: float

    @property
    def usage(self) -> Usage:
        return sum(self.parts.values(), Usage())

    @property
    def readings(self) -> int:
        return int(self.result["acked"])

    @property
    def busy_s(self) -> float:
        return self.readings / max(float(self.result["readings_per_s"]), 1e-9)


def measure_usual(database: Database, shape: Shape, lengths: Lengths) -> Figures:
    """(a) The usual consumer; a group of one open dashboard is sent each message."""
    with servers.usual(database) as server, dashboard(database, server, login=False):
        order = Order(
            server.url, str(database.tokens), shape.name, lengths.usual_s, 0.0, usual=True
        )
        sent = send(database, server, order)
        peak = peak_bytes(server.pid)
        return _figures(sent, sent.usage, sent.busy_s, peak)


def measure_hub(
    database: Database,
    timeline: Timeline,
    shape: Shape,
    lengths: Lengths,
    serve: Serve = servers.hub,
) -> Figures:
    """(b) The hub: saturated in a closed loop, then, started anew, at half of that."""
    sent, sealed, peak = hub_run(database, timeline, shape, lengths.closed_s, None, serve)
    rate = OPEN_SHARE * sent.result["frames_per_s"] / shape.devices
    calm, _, _ = hub_run(database, timeline, shape, lengths.open_s, rate, serve)
    seconds = sent.busy_s + sealed["wall_s"]
    usage = sent.usage + Usage(sealed["cpu_s"], int(sealed["written_bytes"]))
    figures = asdict(_figures(sent, usage, seconds, peak))
    return Figures(
        **figures
        | {
            "open_rate": calm.result["readings_per_s"],
            "open_p50_ms": calm.result["ack_p50_ms"],
            "open_p99_ms": calm.result["ack_p99_ms"],
            "sealing_share": sealed["wall_s"] / seconds,
        }
    )


def measure_bare(database: Database, timeline: Timeline, shape: Shape, lengths: Lengths) -> Figures:
    """(c) The bare writer."""
    from_us = round(timeline.free_from_s * 1e6) + 1
    database.checkpoint()
    before = used(*database.roots)
    written = _program(database, "bare", shape.name, str(lengths.bare_readings), str(from_us))
    usage = used(*database.roots) - before
    database.checkpoint()
    usage = Usage(usage.cpu_s, (used(*database.roots) - before).written_bytes)
    usage += Usage(written["cpu_s"], int(written["written_bytes"]))
    timeline.used_until(written["until_us"] / 1e6)
    readings = written["readings"]
    return Figures(
        readings_per_s=readings / written["wall_s"],
        cpu_s_per_million=usage.cpu_s / readings * 1e6,
        peak_mb=written["peak_bytes"] / 1e6,
        written_per_reading=usage.written_bytes / readings,
        readings=readings,
        sealing_share=written["sealing_s"] / written["wall_s"],
    )


def appointment(
    timeline: Timeline, shape: Shape, duration_s: float, startup_s: float = STARTUP_S
) -> tuple[float, float]:
    """When a hub's run begins, and how far its clocks are behind: sealing begins in its middle."""
    startup_s += shape.devices / DEVICES_CONNECTED_PER_S
    behind_s = timeline.behind_s(time.time(), startup_s + duration_s / 2 - GRACE_S)
    return time.time() + startup_s, behind_s


def hub_run(
    database: Database,
    timeline: Timeline,
    shape: Shape,
    duration_s: float,
    rate: float | None,
    serve: Serve,
    beside: Mapping[str, tuple[int, ...]] = _NONE,
    startup_s: float = STARTUP_S,
) -> tuple[Sent, dict[str, float], int]:
    """A hub's life of one run: started, sent to, stopped, and what it had not sealed yet sealed."""
    database.checkpoint()
    begin_at_s, behind_s = appointment(timeline, shape, duration_s, startup_s)
    with serve(database, behind_s + GRACE_S) as server:
        with dashboard(database, server, login=True):
            order = Order(
                *(server.url, str(database.tokens), shape.name, duration_s, behind_s, begin_at_s),
                *(rate, tuple(server.urls[1:])),
            )
            sent = send(database, server, order, beside)
        peak = peak_bytes(server.pid)
    if sent.result["rejected"]:
        raise Trouble(f"The hub refused what it should take: {sent.result}")
    until_s = time.time() - behind_s
    before = used(*database.roots)
    sealed = _program(database, "sealing", str(round(until_s * 1e6)))
    sealed["cpu_s"] += (used(*database.roots) - before).cpu_s
    database.checkpoint()
    sealed["written_bytes"] += (used(*database.roots) - before).written_bytes
    timeline.used_until(until_s)
    return sent, sealed, peak


def send(
    database: Database, server: Server, order: Order, beside: Mapping[str, tuple[int, ...]] = _NONE
) -> Sent:
    """Run a client; what the server used is read when the client says where it is.

    `beside` names further programs that serve it.
    """
    command = [sys.executable, "-m", "benchmarks.client", json.dumps(asdict(order))]
    roots = {"server": (server.pid,), "database": database.roots, **beside}
    core = database.cores.server
    nothing = dict.fromkeys(roots, Usage())
    began = settled = (nothing, 0.0, 0.0)

    def all_used() -> dict[str, Usage]:
        return {name: used(*pids) for name, pids in roots.items()}

    with subprocess.Popen(
        pinned(database.cores.client, command),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stderr is not None
        said: dict[str, Any] = {}
        for line in client.stdout:
            said = json.loads(line)
            if said.get("now") == "begun":
                began = all_used(), busy_s(core), time.time()
            elif said.get("now") == "settled":
                settled = all_used(), busy_s(core), time.time()
        complaint = client.stderr.read()
    if not said.get("complete"):
        raise Trouble(f"The client did not finish: {said}\n{complaint}\n{server.said()}")
    parts = {name: settled[0][name] - began[0][name] for name in roots}
    others_s = settled[1] - began[1] - sum(used.cpu_s for used in parts.values())
    foreign = max(0.0, others_s / max(settled[2] - began[2], 1e-9))
    return Sent(said["result"], said["client_busy"], parts, foreign)


def _figures(sent: Sent, usage: Usage, seconds: float, peak: int) -> Figures:
    share = sent.busy_s / seconds
    return Figures(
        readings_per_s=sent.readings / seconds,
        frames_per_s=sent.result["frames_per_s"] * share,
        ack_p50_ms=sent.result["ack_p50_ms"],
        ack_p99_ms=sent.result["ack_p99_ms"],
        cpu_s_per_million=usage.cpu_s / sent.readings * 1e6,
        peak_mb=peak / 1e6,
        written_per_reading=usage.written_bytes / sent.readings,
        client_busy=sent.client_busy,
        foreign=sent.foreign,
        readings=sent.readings,
        reconnects=sent.result["reconnects"],
    )


def _program(database: Database, name: str, *arguments: str) -> dict[str, float]:
    """What a program of ours on the hub's database and the server's core printed."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    printed = run(pinned(database.cores.server, command), database.environment(database.hub_url))
    figures: dict[str, float] = json.loads(printed)
    return figures


@contextmanager
def dashboard(database: Database, server: Server, *, login: bool) -> Iterator[None]:
    """One dashboard, open until the end. Trouble where it was not."""
    command = [sys.executable, "-m", "benchmarks.dashboard", str(server.port)]
    with subprocess.Popen(
        pinned(database.cores.client, [*command, *(LOGIN if login else ())]),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as dashboard:
        assert dashboard.stdout is not None
        assert dashboard.stderr is not None
        if dashboard.stdout.readline() != "open\n":
            raise Trouble(f"The dashboard does not open:\n{dashboard.stderr.read()}")
        try:
            yield
        finally:
            if dashboard.poll() is None:
                dashboard.send_signal(signal.SIGTERM)
            messages = dashboard.stdout.readline().strip()
    if not messages.isdecimal() or int(messages) < 1:
        raise Trouble(f"The dashboard saw nothing: {messages}")
