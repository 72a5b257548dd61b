"""HTTP connections: bounded in number, in size, and in the time that a request may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from project.server.outflow import unsent_bytes
from project.server.requests import (
    BODY_MOST_BYTES,
    BODY_WITHIN_S,
    HEAD_WITHIN_S,
    TOLD_WITHIN_S,
    HubHTTPFactory,
)
from tests.integration.server.peer import Peer
from tests.integration.server.test_sockets import READ_BYTES, figure

CHUNK = b"x" * 100_000


async def answers(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Echoes how long the body was; `/large` is 20 MB, in chunks, and `/fails` fails midway."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200})
    if scope["path"] == "/fails":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a bug")
    for _ in range(200 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": str(length).encode()})


async def refuses(scope: dict[str, Any], receive: Any, send: Any) -> None:
    raise RuntimeError("a bug")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer(answers)
    yield peer
    peer.end()
    await asyncio.sleep(0)


def later(peer: Peer, seconds: float) -> None:
    """Look at the connection as the server would after so long."""
    channel = peer.protocol
    if channel._ends_s is not None:
        channel._ends_s -= seconds
    if channel._outflow is not None:
        channel._outflow._since_s -= seconds
    peer.server.http_factory.check_timeouts()


async def assert_cut(peer: Peer, seconds: float, why: str) -> None:
    later(peer, seconds - 1)
    await peer.turn()
    assert not peer.transport.disconnected
    cut = figure("weir_connections_cut_total", why=why)
    later(peer, 1)
    await peer.turn()
    assert peer.transport.disconnected
    assert figure("weir_connections_cut_total", why=why) == cut + 1


async def test_a_request_is_answered_and_the_next_on_its_connection(peer: Peer) -> None:
    for body in (b"four", b"seven!!"):
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        peer.say(head + body)
        await peer.turn()
        assert peer.heard.startswith(b"HTTP/1.1 200 ")
        assert b"\r\n%d\r\n" % len(body) in peer.heard
        peer.heard = b""
    assert peer.protocol._ends_s is None
    assert not peer.server.connections


async def test_a_connection_that_says_nothing_is_cut(peer: Peer) -> None:
    await peer.turn()
    await assert_cut(peer, HEAD_WITHIN_S, "head_too_slow")


async def test_headers_that_never_end_are_cut_however_often_one_comes(peer: Peer) -> None:
    peer.say(b"GET / HTTP/1.1\r\n")
    await peer.turn()
    later(peer, HEAD_WITHIN_S - 1)
    peer.say(b"X: y\r\n")
    await peer.turn()
    await assert_cut(peer, 1, "head_too_slow")


async def test_the_next_request_has_its_time_too(peer: Peer) -> None:
    peer.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await peer.turn()
    later(peer, 10 * HEAD_WITHIN_S)
    peer.say(b"GET / HT")
    await peer.turn()
    await assert_cut(peer, HEAD_WITHIN_S, "head_too_slow")


async def test_a_body_that_does_not_come_is_cut(peer: Peer) -> None:
    peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfour")
    await peer.turn()
    await assert_cut(peer, BODY_WITHIN_S, "body_too_slow")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_before_it_is_kept(
    peer: Peer, chunked: bool
) -> None:
    if chunked:
        peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.say(b"%x\r\n" % (2 * BODY_MOST_BYTES) + b"x" * (2 * BODY_MOST_BYTES))
    else:
        peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
    await peer.turn()
    assert peer.heard.startswith(b"HTTP/1.1 413 ")
    await assert_cut(peer, TOLD_WITHIN_S, "body_too_large")


async def test_a_body_as_large_as_may_be_is_taken(peer: Peer) -> None:
    peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % BODY_MOST_BYTES)
    peer.say(b"x" * BODY_MOST_BYTES)
    await peer.turn()
    assert b"\r\n%d\r\n" % BODY_MOST_BYTES in peer.heard


async def test_an_answer_waits_for_a_slow_reader(peer: Peer) -> None:
    peer.say(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await peer.turn(hears=False)
    assert unsent_bytes(peer.transport) <= READ_BYTES + len(CHUNK) + 100
    while not peer.heard.endswith(b"0\r\n\r\n"):
        await peer.turn()
    assert peer.heard.count(CHUNK) == 200


async def test_a_reader_that_takes_nothing_is_cut(peer: Peer) -> None:
    peer.say(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(30):
        await peer.turn(hears=False)  # until the system, too, takes no more
    peer.server.http_factory.check_timeouts()  # what went out until now counts as taken
    later(peer, peer.server.stall_timeout_s - 1)
    await peer.turn(hears=False)
    assert not peer.transport.disconnected
    later(peer, 1)
    await peer.turn(hears=False)
    assert peer.transport.disconnected
    await asyncio.sleep(0)
    assert not peer.server.connections  # its application, which waited to send, has ended


async def test_an_application_that_fails_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(refuses)
    peer.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await peer.turn()
    assert peer.heard.startswith(b"HTTP/1.1 500 ")
    assert "RuntimeError: a bug" in caplog.text
    peer.end()


async def test_half_an_answer_is_cut_off_and_does_not_look_whole(peer: Peer) -> None:
    peer.say(b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n")
    await peer.turn()
    assert not peer.heard.endswith(b"0\r\n\r\n")
    assert peer.transport.disconnected


async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    for said in (b"GET / HT", b"TP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfour"):
        peer.say(said)
        await peer.turn()
    peer.end()
    await asyncio.sleep(0)
    assert not peer.server.connections
    assert caplog.text == ""


async def test_beyond_their_number_the_oldest_that_is_not_whole_is_cut(peer: Peer) -> None:
    factory = peer.server.http_factory
    others = [Peer(answers) for _ in range(9)]
    for other in others:
        other.protocol.factory = factory
        other.protocol.factory.opened(other.protocol)
    factory._most = 10
    too_many = figure("weir_connections_cut_total", why="too_many")
    one_more = Peer(answers)
    factory.opened(one_more.protocol)
    await peer.turn()
    assert peer.transport.disconnected
    assert figure("weir_connections_cut_total", why="too_many") == too_many + 1
    assert not any(other.transport.disconnected for other in others)
    for end in (one_more, *others):
        end.end()
    assert isinstance(factory, HubHTTPFactory)
