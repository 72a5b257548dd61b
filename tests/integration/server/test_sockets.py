"""A WebSocket between a peer and its application: bounded both ways, and closed in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from project.options import FRAME_MOST_BYTES
from project.server.frames import BINARY, TEXT, framed
from project.server.inbox import HIGH_BYTES, HIGH_MESSAGES
from project.server.outflow import unsent_bytes
from tests.integration.server.peer import HANDSHAKE, MASK, Application, Peer, masked

READ_BYTES = 65_536  # what Twisted reads at once
PATIENCE_S = 20.0


class App:
    """An application that a test plays: it accepts, and then does as it is told."""

    def __init__(self) -> None:
        self.receive: Any = None
        self.send: Any = None
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.receive, self.send = receive, send
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await self.end

    async def hear(self, peer: Peer) -> dict[str, Any]:
        """The next message, which may have to be read first."""
        hearing = asyncio.ensure_future(self.receive())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.sleep(0)
            while not hearing.done():
                await peer.turn()
        heard: dict[str, Any] = hearing.result()
        return heard

    async def texts(self, peer: Peer, count: int) -> list[str]:
        return [(await self.hear(peer))["text"] for _ in range(count)]

    async def say(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str = "") -> None:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})


@asynccontextmanager
async def connected(application: Application) -> AsyncIterator[Peer]:
    peer = Peer(application)
    try:
        await peer.open()
        yield peer
    finally:
        peer.end()
        await asyncio.sleep(0)


@pytest.fixture
async def app() -> App:
    return App()


@pytest.fixture
async def peer(app: App) -> AsyncIterator[Peer]:
    async with connected(app) as peer:
        yield peer


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_texts_and_bytes_reach_the_application(app: App, peer: Peer) -> None:
    peer.say_text("hello")
    peer.say_text("x" * 70_000)
    peer.say(masked(framed(BINARY, b"\x00\xff")))
    await peer.turn()
    assert await app.texts(peer, 2) == ["hello", "x" * 70_000]
    assert (await app.hear(peer))["bytes"] == b"\x00\xff"


async def test_a_message_in_pieces_is_put_together(app: App, peer: Peer) -> None:
    peer.say(masked(framed(0x01, b"one, ")))
    peer.say(masked(framed(0x89, b"ping")))  # between the pieces, as is allowed
    peer.say(masked(framed(0x80, "zwölf".encode())))
    await peer.turn()
    assert await app.texts(peer, 1) == ["one, zwölf"]
    assert peer.heard == framed(0x8A, b"ping")


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        ([framed(TEXT, b"")], {"type": "websocket.receive", "text": ""}),
        ([framed(BINARY, b"")], {"type": "websocket.receive", "bytes": b""}),
        (
            [framed(0x01, b"whole"), framed(0x80, b"")],
            {"type": "websocket.receive", "text": "whole"},
        ),
    ],
)
async def test_an_empty_frame_is_heard_without_more(
    app: App, peer: Peer, sent: list[bytes], heard: dict[str, Any]
) -> None:
    for frame in sent:
        peer.say(masked(frame))
    await peer.turn()
    assert await app.hear(peer) == heard


async def test_an_empty_ping_is_answered_without_more(app: App, peer: Peer) -> None:
    peer.say(masked(framed(0x89, b"")))
    await peer.turn()
    assert peer.heard == framed(0x8A, b"")


async def test_what_is_sent_arrives_as_it_is(app: App, peer: Peer) -> None:
    for length in (0, 125, 126, 65_535, 65_536):
        await app.say("x" * length)
        await peer.turn()
        assert peer.heard == framed(TEXT, b"x" * length)
        peer.heard = b""
    await app.send({"type": "websocket.send", "bytes": b"\xff"})
    await peer.turn()
    assert peer.heard == framed(BINARY, b"\xff")


# Input


async def test_a_peer_that_says_too_much_is_not_read_from_until_it_is_heard(
    app: App, peer: Peer
) -> None:
    paused = figure("weir_sockets_paused", full="input")
    said = [f"{n}" for n in range(10_000)]
    for text in said:
        peer.say_text(text)
    await peer.turn()
    assert not peer.descriptors.reads
    assert figure("weir_sockets_paused", full="input") == paused + 1
    assert len(peer.protocol.inbox._messages) == HIGH_MESSAGES
    assert len(peer.protocol.data) < READ_BYTES
    assert await app.texts(peer, len(said)) == said
    assert peer.descriptors.reads
    assert figure("weir_sockets_paused", full="input") == paused


async def test_its_messages_are_bounded_in_bytes_too(app: App, peer: Peer) -> None:
    for _ in range(20):
        peer.say_text("x" * 10_000)
    await peer.turn()
    assert not peer.descriptors.reads
    assert peer.protocol.inbox._bytes < HIGH_BYTES + 10_000


async def test_a_paused_peer_is_not_cut_for_a_ping_it_cannot_answer(app: App, peer: Peer) -> None:
    peer.protocol.last_ping = -1e9
    peer.protocol.check_timeouts()
    assert peer.protocol.autoPingTimeoutCall is not None
    for _ in range(HIGH_MESSAGES):
        peer.say_text("")
    await peer.turn()
    assert not peer.descriptors.reads
    assert peer.protocol.autoPingTimeoutCall is None
    peer.protocol.last_ping = -1e9
    peer.protocol.check_timeouts()
    assert peer.protocol.autoPingTimeoutCall is None
    await app.texts(peer, HIGH_MESSAGES)
    await peer.turn()
    peer.protocol.check_timeouts()  # and the interval begins anew
    assert peer.protocol.autoPingTimeoutCall is None
    assert peer.descriptors.reads


async def test_a_paused_peer_that_was_reset_is_found(app: App, peer: Peer) -> None:
    for _ in range(HIGH_MESSAGES):
        peer.say_text("")
    await peer.turn()
    peer.protocol.check_timeouts()
    assert not peer.transport.disconnected
    peer.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of nothing: reset
    peer.socket.close()
    gone = figure("weir_connections_cut_total", why="gone")
    peer.protocol.check_timeouts()
    await peer.turn(hears=False)
    assert figure("weir_connections_cut_total", why="gone") == gone + 1
    assert peer.transport.disconnected
    await app.texts(peer, HIGH_MESSAGES)
    assert (await app.hear(peer))["type"] == "websocket.disconnect"


async def test_before_the_application_accepts_nothing_is_gathered() -> None:
    let = asyncio.Event()
    heard: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await let.wait()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])

    peer = Peer(application)
    peer.say(HANDSHAKE)
    await peer.turn()
    for _ in range(100):
        peer.say_text("x" * 10_000)
        await peer.turn()
    assert not peer.descriptors.reads
    assert len(peer.protocol.data) <= READ_BYTES
    let.set()
    await peer.turn()
    assert heard == ["x" * 10_000] * 100
    peer.end()
    await asyncio.sleep(0)


# Output


async def test_send_waits_while_the_peer_takes_nothing(app: App, peer: Peer) -> None:
    async def flood() -> None:
        for _ in range(2_000):
            await app.say("x" * 10_000)

    flooding = asyncio.create_task(flood())
    await peer.turn(hears=False)
    assert not flooding.done()
    assert unsent_bytes(peer.transport) <= READ_BYTES + 10_000
    assert not peer.descriptors.reads  # nothing more to answer, meanwhile
    while not flooding.done():
        await peer.turn()
    await peer.turn()
    assert len(peer.heard) == 2_000 * len(framed(TEXT, b"x" * 10_000))
    assert peer.descriptors.reads


async def test_a_peer_that_takes_nothing_is_cut_in_the_end(app: App, peer: Peer) -> None:
    while peer.protocol._outflow is None:
        await app.say("x" * 100_000)
        await peer.turn(hears=False)
    waiting = asyncio.create_task(app.say("more"))
    peer.protocol.check_timeouts()
    await peer.turn(hears=False)
    assert not waiting.done()
    assert not peer.transport.disconnected
    cut = figure("weir_connections_cut_total", why="took_nothing")
    peer.protocol._outflow._since_s -= peer.protocol.server.stall_timeout_s
    peer.protocol.check_timeouts()
    await peer.turn(hears=False)
    assert figure("weir_connections_cut_total", why="took_nothing") == cut + 1
    assert peer.transport.disconnected
    await waiting
    assert (await app.hear(peer))["type"] == "websocket.disconnect"


# Closing


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 3000, 4503])
async def test_any_code_and_its_reason_are_sent(app: App, peer: Peer, code: int) -> None:
    await app.close(code, "token_revoked")
    await peer.turn()
    assert peer.close_frame() == (code, "token_revoked")
    assert not peer.transport.disconnected  # until the peer has answered
    peer.say(masked(framed(0x88, code.to_bytes(2, "big"))))
    await peer.turn()
    assert peer.transport.disconnected
    assert (await app.hear(peer))["type"] == "websocket.disconnect"


async def test_a_code_that_may_not_be_sent_is_a_mistake(app: App, peer: Peer) -> None:
    with pytest.raises(ValueError, match="1006"):
        await app.close(1006)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param(
            [b"\x81\xff" + (FRAME_MOST_BYTES + 1).to_bytes(8, "big") + MASK], 1009, id="one"
        ),
        pytest.param(
            [
                masked(framed(0x01, b"x" * 3_000_000)),
                b"\x80\xff" + (3_000_000).to_bytes(8, "big") + MASK,
            ],
            1009,
            id="in pieces",
        ),
        pytest.param([masked(framed(TEXT, b"\xc3\x28"))], 1007, id="no UTF-8"),
        pytest.param([masked(framed(TEXT, b"x" * 70_000 + b"\xff"))], 1007, id="at the end"),
        pytest.param([framed(TEXT, b"not masked")], 1002, id="not masked"),
    ],
)
async def test_a_message_that_cannot_be_one_is_answered_by_a_close_frame(
    app: App, peer: Peer, frames: list[bytes], code: int
) -> None:
    for frame in frames:
        peer.say(frame)
    await peer.turn()
    assert peer.close_frame()[0] == code
    assert not peer.transport.disconnected


async def test_an_application_that_fails_closes_with_1011(
    app: App, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    app.end.set_exception(RuntimeError("a bug"))
    await peer.turn()
    assert peer.close_frame() == (1011, "")
    assert "RuntimeError: a bug" in caplog.text


async def test_an_application_that_ends_closes(app: App, peer: Peer) -> None:
    app.end.set_result(None)
    await peer.turn()
    assert peer.close_frame() == (1000, "")


@pytest.mark.parametrize(
    ("raises", "answer"), [(True, b"HTTP/1.1 500 "), (False, b"HTTP/1.1 403 ")]
)
async def test_an_application_that_ends_before_it_accepts_refuses(
    raises: bool, answer: bytes
) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if raises:
            raise RuntimeError("a bug")

    peer = Peer(application)
    peer.say(HANDSHAKE)
    await peer.turn()
    assert peer.heard.startswith(answer)
    assert peer.transport.disconnected
    peer.end()


async def test_what_comes_after_our_close_is_thrown_away(app: App, peer: Peer) -> None:
    """A peer in mid-flood is read on, or it would never be heard to close."""
    await app.close(4400, "not_json")
    for _ in range(1_000):
        peer.say_text("more of it")
    peer.say(masked(framed(0x88, (4400).to_bytes(2, "big"))))
    await peer.turn()
    assert peer.transport.disconnected
    assert (await app.hear(peer))["type"] == "websocket.disconnect"


async def test_one_that_is_paused_when_we_close_is_read_on_too(app: App, peer: Peer) -> None:
    for _ in range(1_000):
        peer.say_text("unheard")
    await peer.turn()
    assert not peer.descriptors.reads
    await app.close(4429, "window")
    peer.say(masked(framed(0x88, (4429).to_bytes(2, "big"))))
    await peer.turn()
    assert peer.transport.disconnected


async def test_what_the_peer_said_before_it_closed_is_heard(app: App, peer: Peer) -> None:
    said = [f"{n}" for n in range(3 * HIGH_MESSAGES)]
    for text in said:
        peer.say_text(text)
    peer.say(masked(framed(0x88, (1000).to_bytes(2, "big"))))
    assert await app.texts(peer, len(said)) == said
    await peer.turn()
    assert (await app.hear(peer))["type"] == "websocket.disconnect"
    await app.say("into the void")
    await app.close(1000)


@pytest.mark.parametrize(
    "head", [b"", b"Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n"]
)
async def test_a_handshake_that_is_none_is_refused_and_nobody_stumbles(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise AssertionError("never asked")

    peer = Peer(application)
    peer.say(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    peer.say(head + b"\r\n")
    await peer.turn()
    assert peer.heard.startswith(b"HTTP/1.1 400 ")
    assert peer.transport.disconnected
    assert caplog.text == ""
    peer.end()
