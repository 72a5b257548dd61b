"""Devices that flap between two hubs on one PostgreSQL, at times with both connections open."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress

from websockets.exceptions import ConnectionClosed

from faults import Row
from faults.caller import Caller, Visit, visit
from faults.place import Place
from simulators.ledger import Ledger
from simulators.tokens import read_tokens
from tests.acceptance.devices import REPLACED
from tests.hubs import Hub

TITLE = "Devices flap between two hubs"
ENGINES = ("postgresql",)

REPLACED_CODE = 4409
HEARS, CLOSES, SENDS_ON = 0.5, 0.2, 0.4
"""How likely a device waits for acks, closes what was taken over, and sends on there."""
LATE = "late"
"""The metric of frames that no hub may store."""


def run(place: Place) -> list[Row]:
    devices, moves = place.scale((6, 15), (30, 200))
    store = place.store()
    hubs = [place.hub(store), place.hub(store)]
    path = place.folder / "ledger"
    ledger = Ledger(path)
    flaps = [
        Flap(Caller(who.uid, who.token, ledger, place.rng), hubs, place.rng)
        for who in read_tokens(place.tokens(store, devices))
    ]
    asyncio.run(_all_flap(flaps, moves))
    ledger.close()
    seen = sum((flap.seen for flap in flaps), Counter[str]())
    assert store.number("SELECT count(*) FROM devices_series WHERE metric = %s", LATE) == 0
    # Times alone would tell a frame that came twice, as a duplicate; the fences let none so far.
    assert store.number("SELECT sum(duplicate) FROM ingest_stream") == 0
    fenced = sum(hub.figures()['weir_readings_total{outcome="fenced"}'] for hub in hubs)
    assert seen["late frames"] == 0 or fenced > 0
    assert all(hub.terminate() == 0 for hub in hubs)
    return [
        place.row(
            store,
            done=f"{devices} devices, {moves} moves each between two hubs, the connection before"
            " left open, or sent on by, as chance has it",
            seen=f"{seen['taken over']:,} connections told of their take-over with 4409; of"
            f" {seen['late frames']:,} frames sent on one after it none was stored;"
            f" {fenced:,.0f} readings fenced",
            figures={"taken_over": seen["taken over"], "fenced_readings": fenced},
            ledgers=(path,),
        )
    ]


async def _all_flap(flaps: list[Flap], moves: int) -> None:
    await asyncio.gather(*(flap.run(moves) for flap in flaps))


class Flap:
    """One device on its way between the hubs."""

    def __init__(self, caller: Caller, hubs: list[Hub], rng: random.Random) -> None:
        self.caller = caller
        self.seen: Counter[str] = Counter()
        self._hubs = hubs
        self._rng = random.Random(rng.random())  # the devices take turns as the network has it

    async def run(self, moves: int) -> None:
        async with AsyncExitStack() as left_open:
            now = await self._arrive(left_open)
            for _ in range(moves):
                before, sent = now, self.caller.device.sent
                now = await self._arrive(left_open)
                await asyncio.gather(self._leave(before, sent), self._go_on(now))
            await now.hear_ack_of(self.caller.device.spool.last)

    async def _arrive(self, left_open: AsyncExitStack) -> Visit:
        url = self._rng.choice(self._hubs).url
        now = await left_open.enter_async_context(visit(self.caller, url))
        await now.hello()
        return now

    async def _go_on(self, now: Visit) -> None:
        """Send some frames, and hear some acks or none."""
        self.caller.measure(self._rng.randrange(1, 25))
        await now.send()
        if self._rng.random() < HEARS:
            device = self.caller.device
            await now.hear_ack_of(self._rng.randint(device.acked, device.sent))

    async def _leave(self, before: Visit, sent: int) -> None:
        """Do what a device may with a connection that was taken over, `sent` frames into it."""
        chance = self._rng.random()
        if chance < CLOSES:
            await before.link.connection.close()
        elif chance < CLOSES + SENDS_ON:
            late = [
                {"seq": seq, "values": {LATE: seq}}
                for seq in range(sent + 1, sent + self._rng.randint(2, 6))
            ]
            with suppress(ConnectionClosed):  # its hub may know already
                await before.link.say(*late)
            self.seen["late frames"] += len(late)
            assert await before.link.hear_last_word() == (REPLACED, REPLACED_CODE)
            self.seen["taken over"] += 1
