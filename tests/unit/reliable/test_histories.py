"""Reliable devices and two hubs over random histories of all that can go wrong between them.

Connections are cut at any message and noticed by either side at any time, processes and devices
die between any two steps, batches commit and the acks are never told, frames are nacked, windows
shrink and close, spools overflow, names are used again. After every step: what a device was told
is safe is stored, nothing is stored twice or out of order. In the end the faults stop, and all
that is held arrives.

`WEIR_TEST_PROFILE=thorough` looks at many more histories.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.session import Refused
from tests.unit.reliable.clients import GONE, LEFT, Client, Kind, Simulator, Sketch
from tests.unit.reliable.hub import WINDOW, Clock, Connection, Hub
from tests.unit.reliable.store import Store

THOROUGH = os.environ.get("WEIR_TEST_PROFILE") == "thorough"
ENDS = [
    "the connection",
    "the device",
    "the device, and it goes by its old name",
    "the hub",
    "the hub, in order",
    "the hub, in order but for its database",
]
WHIMS = [
    "drops its oldest",
    "sends again",
    "loses what it sent",
    "loses what it was sent",
]

clients, hubs = st.integers(0, 1), st.integers(0, 1)
some = st.integers(1, 6)
kinds = st.sampled_from(["timeless"] * 5 + ["timed", "timed", "partly refused", "no JSON"])
frames = st.tuples(kinds, st.integers(1, 3))
steps = st.one_of(
    st.tuples(st.just("make"), clients, st.lists(frames, min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["connect", "come again"]), clients, hubs),
    st.tuples(st.sampled_from(["send", "read", "write", "hear"]), clients, some),
    st.tuples(st.sampled_from(["send", "read", "commit", "tell", "hear"]), clients, some),
    st.tuples(st.sampled_from(["round", "round", "wait", "cut anew"]), clients, some),
    st.tuples(st.sampled_from(["be refused", "ask again"]), clients, st.integers(1, 3)),
)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = Store()
        self.hubs = [Hub(self.store, self.clock), Hub(self.store, self.clock)]
        self.clients: list[Client] = [Simulator("simulator"), Sketch("sketch")]
        self.made: list[set[int]] = [set(), set()]
        self.forgotten: set[int] = set()
        self.links: list[Connection | None] = [None, None]  # as the devices see them
        self.left: list[Connection] = []  # that a device has left, and a hub not yet
        self.numbers = itertools.count(1)

    # What is meant to happen

    @rule(steps=st.lists(steps, min_size=4, max_size=16))
    def go_on(self, steps: list[tuple[str, int, Any]]) -> None:
        for what, who, how in steps:
            match what:
                case "make":
                    self._make(who, how)
                case "connect" if self.links[who] is None:
                    self._connect(who, how)
                case "come again":
                    self._cut(who, GONE)
                    self._connect(who, how)
                    self._read(self.links[who], 2)
                    self._hear(who, 1)
                case "cut anew" if self.sketch.may_cut:
                    self.sketch.cut_anew(how)
                case "be refused":
                    self._be_refused(who, how)
                case "ask again":
                    self._ask_again()
                case "send":
                    self._send(who)
                case "read":
                    self._read(self.links[who], how)
                case "write":
                    self.hubs[who].write(how)
                    self.hubs[who].tell()
                case "commit":
                    self.hubs[who].write(how)
                case "tell":
                    self.hubs[who].tell()
                case "hear":
                    self._hear(who, how)
                case "wait":
                    self.clock.ticks += 1_000
                case "round":
                    self._round(who, how)
            self.what_is_acked_is_stored()

    def _make(self, who: int, frames: Sequence[tuple[Kind, int]]) -> None:
        client = self.clients[who]
        # Under an old name, what it makes before it is told might be taken for what was before.
        for kind, size in frames if not client.is_untold else ():
            readings = [next(self.numbers) for _ in range(size)]
            self.made[who].update(readings)
            client.make(kind, readings)

    def _connect(self, who: int, where: int) -> None:
        connection = self.links[who] = self.hubs[where].accept()
        connection.up.append(self.clients[who].hello())

    def _send(self, who: int) -> None:
        connection = self.links[who]
        if connection is None:
            return
        connection.up.extend(self.clients[who].outgoing(self.clock.now_s))
        if self.clients[who].hangs_up:
            self._cut(who, LEFT)

    def _read(self, connection: Connection | None, messages: int) -> None:
        """The hub reads, and answers a hello before it reads on."""
        while connection and messages and connection.hub_is_there:
            if connection.hello is not None:
                connection.hub.answer(connection)
            elif connection.up:
                connection.hub.read(connection)
            messages -= 1

    def _hear(self, who: int, messages: int) -> None:
        connection = self.links[who]
        while connection is not None and connection.down and messages:
            messages -= 1
            heard = connection.down.popleft()
            if isinstance(heard, int):
                self._cut(who, heard)
                return
            self.clients[who].hear(heard, self.clock.now_s)

    def _round(self, who: int, messages: int) -> None:
        if self.links[who] is None:
            self._connect(who, who)
        self._send(who)
        self._read(self.links[who], messages)
        self.hubs[who].write(messages)
        self.hubs[who].tell()
        self._hear(who, messages)

    def _be_refused(self, who: int, how_often: int) -> None:
        """The hub cannot take this device's frames, however often, and then it can again."""
        for _ in range(how_often):
            self._send(who)
            connection = self.links[who]
            if connection is None:
                return
            before, connection.hub.refusal = connection.hub.refusal, ("busy", 100)
            self._read(connection, len(connection.up))
            connection.hub.refusal = before
            self._hear(who, len(connection.down))
            self.clock.ticks += 200

    def _ask_again(self) -> None:
        """The sketch sends a frame that was acked, while others are under way."""
        self._send(1)
        connection = self.links[1]
        if connection is not None and self.sketch.has_begun and self.sketch.acked:
            connection.up.append(b'{"seq":%d,"readings":[]}' % self.sketch.acked)
            self._read(connection, len(connection.up))
            self._hear(1, len(connection.down))

    # What else happens

    @rule(who=st.integers(0, 1), how=st.sampled_from(ENDS))
    def end(self, who: int, how: str) -> None:
        match how:
            case "the connection":
                self._cut(who, GONE)
            case "the device":
                self._reboot(who, "")
            case "the device, and it goes by its old name":
                # Only where it will be told: else it goes on where another's frames still come.
                known = self.store.streams.get(self.clients[who].name)
                self._reboot(who, known.name if known and known.committed else "")
            case "the hub":
                self.hubs[who].die()
            case "the hub, in order":
                self.hubs[who].stop(flushes=True)
            case "the hub, in order but for its database":
                for client in range(2):
                    self._send(client)  # so that something is taken
                for connection in self.connections():
                    self._read(connection, len(connection.up))
                self.hubs[who].stop(flushes=False)

    def _cut(self, who: int, code: int) -> None:
        """The device's end of it; what it has sent may still come to the hub, or not."""
        connection, self.links[who] = self.links[who], None
        if connection is not None:
            if connection.hub_is_there:
                self.left.append(connection)
            self.clients[who].ended(code)

    def _reboot(self, who: int, old_name: str) -> None:
        """All that the device held is gone, and with it what it knew."""
        client = self.clients[who]
        self.forgotten.update(client.held)
        self._cut(who, GONE)
        fresh: Client = Simulator("simulator", old_name) if who == 0 else Sketch("sketch", old_name)
        fresh.safe, fresh.given_up, fresh.named = client.safe, client.given_up, client.named
        self.clients[who] = fresh

    @precondition(lambda self: self.left)
    @rule(which=st.integers(0, 5), messages=st.integers(0, 6), ends=st.booleans())
    def read_of_who_left(self, which: int, messages: int, ends: bool) -> None:
        connection = self.left[which % len(self.left)]
        self._read(connection, messages)
        if ends:
            self.left.remove(connection)
            connection.hub.leave(connection)

    @rule(
        where=hubs,
        window=st.sampled_from([WINDOW, WINDOW, 2 * WINDOW, 1, 0]),
        refusal=st.sampled_from([None, None, ("busy", 100), ("rate_limited", 2_000)]),
    )
    def take_less_or_more(self, where: int, window: int, refusal: Refused | None) -> None:
        self.hubs[where].set_window(window)
        self.hubs[where].refusal = refusal

    # What only the sketch does

    @property
    def sketch(self) -> Sketch:
        sketch = self.clients[1]
        assert isinstance(sketch, Sketch)
        return sketch

    @rule(what=st.sampled_from(WHIMS), number=st.integers(0, 9))
    def do_as_it_likes(self, what: str, number: int) -> None:
        sketch, connection = self.sketch, self.links[1]
        match what:
            case "drops its oldest" if len(sketch.frames) > 1:
                sketch.drop_oldest()
            case "sends again" if connection and sketch.frames and sketch.has_begun:
                connection.up.append(sketch.text(sketch.frames[number % len(sketch.frames)][0]))
            case "loses what it sent" if connection:
                self._lose(connection, connection.up, number)
            case "loses what it was sent" if connection:
                self._lose(connection, connection.down, number)

    def _lose(self, connection: Connection, on_the_way: deque[Any], number: int) -> None:
        if on_the_way:
            del on_the_way[number % len(on_the_way)]
            connection.has_lost = True

    def connections(self) -> list[Connection]:
        return [*(link for link in self.links if link is not None), *self.left]

    # What holds

    @invariant()
    def what_is_acked_is_stored(self) -> None:
        for client in self.clients:
            assert not client.safe - self.store.times_stored.keys()

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        for client in self.clients:
            for reading in client.named:
                assert self.store.times_stored[reading] <= client.named[reading]

    @invariant()
    def what_is_stored_is_in_order(self) -> None:
        for readings in self.store.order.values():
            assert readings == sorted(readings)

    @invariant()
    def the_counts_add_up(self) -> None:
        stored = sum(row.stored for row in self.store.streams.values())
        assert stored == self.store.times_stored.total()

    def teardown(self) -> None:
        """The faults stop, and all that is held arrives."""
        for hub in self.hubs:
            hub.refusal = None
            hub.set_window(WINDOW)
        for who, link in enumerate(self.links):
            if link is not None and link.has_lost:
                self._cut(who, GONE)
        rounds = 20 + sum(len(client.held) for client in self.clients)
        while any(client.held for client in self.clients) and rounds:
            self._one_round()
            rounds -= 1
        assert not any(client.held for client in self.clients), "it is stuck"
        self._nothing_is_missing()

    def _one_round(self) -> None:
        self.clock.ticks += 1_000
        for connection in self.connections():
            self._read(connection, 1 + len(connection.up))
        for who in range(2):
            self._round(who, 100)
        self.what_is_acked_is_stored()
        self.nothing_is_stored_twice()
        self.what_is_stored_is_in_order()

    def _nothing_is_missing(self) -> None:
        for client, made in zip(self.clients, self.made, strict=True):
            excused = client.given_up | self.forgotten
            assert made - self.store.times_stored.keys() <= excused
            assert made <= client.safe | excused


Histories.TestCase.settings = settings(
    deadline=None,
    max_examples=3_000 if THOROUGH else 120,
    stateful_step_count=80 if THOROUGH else 60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestHistories = Histories.TestCase
