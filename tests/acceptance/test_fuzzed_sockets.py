"""A real hub, told at random what no device should say, answers by the page or closes by it.

Every message it says is in the schema and every close code on the page, no bug is logged, the
figures add up, nothing is left over, and another device is served all along.

`WEIR_TEST_PROFILE=thorough` goes on for longer; `WEIR_TEST_SEED` begins elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from faults.raw import CLOSE, PING, PONG, TEXT, RawSocket, Refused, bearer, request
from tests.acceptance import fuzzing
from tests.acceptance.devices import Device, frame
from tests.hubs import Answer, Hub, Store, wait_until
from tests.schema import is_what_a_hub_says

CONVERSATIONS = 6_000 if os.environ.get("WEIR_TEST_PROFILE") == "thorough" else 480
BATCH = 40
AT_ONCE = 6
SEED = int(os.environ.get("WEIR_TEST_SEED", "1"))

OF_WEBSOCKETS = {1000, 1002, 1007, 1009}
OF_THE_PAGE = {4400, 4401, 4406, 4409, 4413, 4429}
OF_THE_PEER = {1001, 3000, 4999}  # what was sent in a close is sent back
BYTES_OF_A_TURN = 65_536


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="module")
def tokens(hub: Hub) -> list[str]:
    return [hub.store.add_device(f"fuzzed-{n}") for n in range(8)]


def converse(hub: Hub, token: str, rng: Random, sent: bytes, *, may_reset: bool = True) -> None:
    """Say it, and look at all that is answered until the connection ends."""
    with RawSocket.open(hub.port, headers=bearer(token)) as raw:
        for piece in fuzzing.pieces(rng, sent):
            raw.send(piece)
        if may_reset and rng.random() < 0.1:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        _shut(raw)
        _hear(raw)


def _shut(raw: RawSocket) -> None:
    try:
        raw.socket.shutdown(socket.SHUT_WR)
    except OSError:
        raw.closed = True  # the hub was first


def _hear(raw: RawSocket) -> None:
    last = ""
    for heard in raw.frames():
        if heard.opcode == TEXT:
            last = is_what_a_hub_says(heard.message)["type"]
        elif heard.opcode == CLOSE:
            assert heard.code in OF_WEBSOCKETS | OF_THE_PAGE | OF_THE_PEER, heard
            assert (heard.code in OF_THE_PAGE) == (last == "error"), heard
        else:
            assert heard.opcode in (PING, PONG)


def say_what_is_nearly_right(hub: Hub, token: str, rng: Random) -> None:
    texts = fuzzing.messages(rng)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(texts))
        texts[at] = fuzzing.mangled(rng, texts[at])
    converse(hub, token, rng, b"".join(fuzzing.whole(rng, text) for text in texts))


def break_the_websocket(hub: Hub, token: str, rng: Random) -> None:
    sent = [fuzzing.whole(rng, text) for text in fuzzing.messages(rng)]
    sent.insert(rng.randrange(len(sent) + 1), fuzzing.broken(rng))
    converse(hub, token, rng, b"".join(sent))


def flip_bytes(hub: Hub, token: str, rng: Random) -> None:
    sent = b"".join(fuzzing.whole(rng, text) for text in fuzzing.messages(rng))
    converse(hub, token, rng, fuzzing.flipped(rng, sent[: rng.randint(1, len(sent))]))


def say_noise(hub: Hub, token: str, rng: Random) -> None:
    converse(hub, token, rng, rng.randbytes(rng.choice([1, 10, 500, BYTES_OF_A_TURN])))


def shake_hands_wrongly(hub: Hub, token: str, rng: Random) -> None:
    """What comes back is a refusal in HTTP, or a WebSocket all the same."""
    raw = RawSocket(hub.port)
    with raw:
        raw.send(*fuzzing.pieces(rng, fuzzing.flipped(rng, request("/ws/ingest/", bearer(token)))))
        _shut(raw)
        answer = ""
        try:
            raw.shake_hands()
        except (Refused, ConnectionError) as refused:
            answer = str(refused)
        else:
            _hear(raw)
        assert not answer.startswith("HTTP/1.1 5")


def post(hub: Hub, token: str, rng: Random) -> None:
    text = fuzzing.mangled(rng, json.dumps(fuzzing.frame(rng, 0)))
    body = text.encode("utf-8", "surrogatepass")
    answer: Answer = hub.ask(
        "/ingest/",
        fuzzing.flipped(rng, body) if rng.random() < 0.3 else body,
        headers=bearer(token),
    )
    assert answer.status in {200, 400, 401, 413}, answer
    is_what_a_hub_says(answer.json)


def say_what_is_right(hub: Hub, token: str, rng: Random) -> None:
    """However it is cut up on its way, each frame is acked."""
    texts = [json.dumps(fuzzing.frame(rng, n)) for n in range(rng.randint(1, 20))]
    sent = b"".join(fuzzing.whole(rng, text) for text in texts)
    with RawSocket.open(hub.port, headers=bearer(token)) as raw:
        for piece in fuzzing.pieces(rng, sent):
            raw.send(piece)
        # Its pings are not answered: a hub that goes on only when it hears more is found out.
        heard = (
            is_what_a_hub_says(found.message) for found in raw.frames() if found.opcode == TEXT
        )
        for ack in heard:
            assert ack["type"] == "ack", ack
            if ack["seq"] == len(texts):
                break
        else:
            raise AssertionError("the connection ended before all was acked")
        raw.send(fuzzing.one_frame(rng, CLOSE, struct.pack(">H", 1000)))
        assert raw.hear_end() == ([], 1000)


WAYS = [
    say_what_is_nearly_right,
    say_what_is_nearly_right,
    break_the_websocket,
    break_the_websocket,
    flip_bytes,
    say_noise,
    shake_hands_wrongly,
    post,
]


def speak(hub: Hub, tokens: list[str], seed: int) -> None:
    """One conversation; its seed is all it takes to have it again."""
    rng = random.Random(seed)
    # A device may have four plain connections, so those that must be let in have devices apart.
    try:
        if seed % 8 == 0:
            say_what_is_right(hub, tokens[seed // 8 % 2], rng)
        else:
            rng.choice(WAYS)(hub, tokens[2 + seed % 6], rng)
    except BaseException as error:
        error.add_note(f"WEIR_TEST_SEED={seed}")
        raise


async def test_whatever_is_said_is_answered_by_the_page_and_nobody_else_is_harmed(
    hub: Hub, tokens: list[str], neighbour: Device
) -> None:
    sockets = open_sockets(hub)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for begin in range(SEED, SEED + CONVERSATIONS, BATCH):
            seeds = range(begin, begin + BATCH)
            spoken = [threads.submit(speak, hub, tokens, seed) for seed in seeds]
            await asyncio.gather(*map(asyncio.wrap_future, spoken))
            assert (await neighbour.ask(frame(1)))["seq"] == 1
    await asyncio.to_thread(nothing_is_left, hub, sockets)


def nothing_is_left(hub: Hub, sockets: int) -> None:
    wait_until(lambda: hub.figures()["weir_devices_connected"] == 1, "the neighbour is alone")
    wait_until(lambda: adds_up(hub), "all that was taken is accounted for")
    wait_until(lambda: open_sockets(hub) <= sockets, "no socket is left over")
    for trace in ("Traceback", " ERROR ", " CRITICAL ", "Unhandled", "never retrieved"):
        assert trace not in hub.log
    closed = {name for name in hub.figures() if name.startswith("weir_closed_total")}
    assert closed <= {f'weir_closed_total{{code="{code}"}}' for code in OF_THE_PAGE}


def adds_up(hub: Hub) -> bool:
    """Nothing is pending, and what was taken is what became of it."""
    figures = hub.figures()
    settled = sum(
        value for name, value in figures.items() if name.startswith("weir_readings_total{")
    )
    return figures["weir_readings_pending"] == 0 and figures["weir_readings_taken_total"] == settled


def open_sockets(hub: Hub) -> int:
    """Of the hub's process; 0 where the system does not tell. Databases are opened as needed."""
    if sys.platform != "linux":
        return 0
    found = 0
    for descriptor in Path(f"/proc/{hub.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found
