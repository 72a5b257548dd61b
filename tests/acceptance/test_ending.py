"""A hub that is told to end: last acks, `bye`, 4503; and if it dies before it gets there."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests import ROOT
from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store, wait_until

FRAMES = 20
# A frame waits so long for others that the flush of the end is the one that writes it.
LATE = {"WEIR_FLUSH_INTERVAL_S": 10}


async def until(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)


async def heard_to_the_end(talker: Device) -> tuple[list[dict[str, Any]], int]:
    """All that the hub said before it closed or went, and its close code, 0 if there was none."""
    heard = []
    try:
        while True:
            heard.append(json.loads(await talker.connection.recv()))
    except ConnectionClosed as closed:
        return heard, closed.rcvd.code if closed.rcvd else 0


def last_acked(heard: list[dict[str, Any]]) -> int:
    return max((said["seq"] for said in heard if said["type"] == "ack"), default=0)


async def test_everyone_inside_hears_the_last_acks_then_bye_and_4503(
    store: Store, folder: Path
) -> None:
    with Hub(store, folder, options=LATE) as hub:
        async with (
            device(hub.url, store.add_device("reliable")) as reliable,
            device(hub.url, store.add_device("plain")) as plain,
            device(hub.url, store.add_device("idle")) as idle,
        ):
            await reliable.hello()
            await reliable.say(*(frame(seq) for seq in range(1, FRAMES + 1)))
            await plain.say({"n": 1}, {"n": 2})
            await until(
                lambda: hub.figures()["weir_frames_in_flight"] == FRAMES + 2, "all are taken"
            )
            ended = asyncio.create_task(asyncio.to_thread(hub.terminate))
            endings = await asyncio.gather(*map(heard_to_the_end, (reliable, plain, idle)))
            assert await ended == 0
    for heard, code in endings:
        assert code == 4503
        assert heard[-1]["type"] == "bye"
        assert heard[-1]["code"] == "restart"
        assert heard[-1]["retry_after_ms"] > 0
    assert [last_acked(heard) for heard, _ in endings] == [FRAMES, 2, 0]
    assert len({heard[-1]["retry_after_ms"] for heard, _ in endings}) > 1
    assert "Traceback" not in hub.log
    assert " ERROR " not in hub.log


DIES = """
import os, sys
sys.path.insert(0, {root!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from ingest import connections, gate, line, relay, writer

def dies(owner, name, after):
    whole = getattr(owner, name)
    def dying(*arguments, **named):
        if not after:
            os._exit(9)
        found = whole(*arguments, **named)
        if not hasattr(found, "__await__"):
            os._exit(9)
        async def waited():
            await found
            os._exit(9)
        return waited()
    setattr(owner, name, dying)

where = dict(
    connections=connections.Connections,
    line=line.Line,
    gate=gate.Gate,
    relay=relay.Relay,
    writer=writer.Writer,
)
owner, name, after = sys.argv.pop(1).split(".")
dies(where[owner], name, after == "after")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

# The statements of `Line.stop`, and what they do, in order.
STATEMENTS = [
    "line.stop.before",
    "writer.stop.before",
    "writer._flush_first.before",
    "writer._write.after",
    "writer.stop.after",
    "connections.say_goodbye.before",
    "connections.say_goodbye.after",
    "relay.stop.after",
    "gate.stop.after",
    "line.stop.after",
]


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_it_may_die_between_any_two_statements_of_its_end(
    sqlite_store: Store, folder: Path, statement: str
) -> None:
    """What was acked is stored, what was not is sent again, and all of it is stored once."""
    store = sqlite_store
    token = store.add_device("reliable")
    hub = Hub(store, folder, options=LATE)
    hub.command = [sys.executable, "-c", DIES.format(root=str(ROOT)), statement, "runhub"]
    with hub:
        async with device(hub.url, token) as talker:
            await talker.hello("boot")
            # Without a time: only the stream keeps them from being stored twice.
            sent = [{"seq": seq, "values": {"n": seq}} for seq in range(1, FRAMES + 1)]
            await talker.say(*sent)
            await until(lambda: hub.figures()["weir_frames_in_flight"] == FRAMES, "all are taken")
            ended = asyncio.create_task(asyncio.to_thread(hub.terminate))
            heard, _ = await heard_to_the_end(talker)
            assert await ended == 9
    acked = last_acked(heard)
    assert store.readings() in {acked, FRAMES}
    with Hub(store, folder) as again:
        async with device(again.url, token) as talker:
            welcome = await talker.hello("boot", acked + 1, FRAMES)
            committed = welcome["resume"]["committed"]
            assert acked <= committed
            await talker.say(*sent[committed:])
            if committed < FRAMES:
                await talker.hear_acks_through(FRAMES)
    assert store.values_of("reliable") == [float(n) for n in range(1, FRAMES + 1)]
