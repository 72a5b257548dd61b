"""Messages and requests that no device should send: closed by name, and nobody else is harmed."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from websockets.exceptions import InvalidStatus

from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store

FRAME_BYTES = 262_144
TOO_DEEP = 100_000  # deeper than any parser follows

pytestmark = pytest.mark.usefixtures("neighbour")


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


CLOSED = {
    "an empty message": "",
    "not JSON": "hello hub",
    "JSON that is cut off": '{"temperature":21.',
    "two JSON values": '{"a":1}{"a":2}',
    "a text": '"temperature"',
    "a number": "21.5",
    "null": "null",
    "nesting that no parser follows": "[" * TOO_DEEP,
    "nesting that no parser follows, closed": "[" * TOO_DEEP + "]" * TOO_DEEP,
    "a binary frame": b'{"temperature":21.5}',
    "seq where none belongs": '{"seq":1,"readings":[]}',
    "a hello after a frame": None,
    "a stream without what is held": '{"type":"hello","stream":"s"}',
    "a stream with a space": '{"type":"hello","stream":"a b","held":{"first":1,"last":0}}',
    "a stream that holds from 0": '{"type":"hello","stream":"s","held":{"first":0,"last":0}}',
    "a stream that holds a gap": '{"type":"hello","stream":"s","held":{"first":9,"last":3}}',
    "a token that is no text": '{"type":"hello","token":7}',
}


@pytest.mark.parametrize("what", CLOSED)
async def test_what_cannot_be_read_closes_with_4400(hub: Hub, token: str, what: str) -> None:
    async with device(hub.url, token) as abuser:
        if what == "a hello after a frame":
            await abuser.ask({"x": 1})
            await abuser.say({"type": "hello"})
        else:
            await abuser.say(CLOSED[what])
        error, code = await abuser.hear_last_word()
        assert code == 4400
        assert (error["type"], error["code"]) == ("error", "bad_message")
        assert len(error["message"]) > 10
        assert "seq" not in error


@pytest.mark.parametrize("seq", ["", '"seq":0,', '"seq":-1,', '"seq":"1",', '"seq":true,'])
async def test_a_frame_of_a_stream_without_a_seq_closes_and_tells_the_one_expected(
    hub: Hub, token: str, seq: str
) -> None:
    async with device(hub.url, token) as abuser:
        await abuser.hello()
        await abuser.ask(frame(1))
        await abuser.say(f'{{{seq}"readings":[]}}')
        assert await abuser.hear_last_word() == (
            {
                "type": "error",
                "code": "bad_message",
                "message": "after hello with a stream each frame has a seq, an integer from 1",
                "seq": 2,
            },
            4400,
        )


async def test_a_frame_that_cannot_be_read_is_replaced_by_an_empty_one(
    hub: Hub, token: str
) -> None:
    async with device(hub.url, token) as abuser:
        stream = (await abuser.hello())["resume"]["stream"]
        await abuser.ask(frame(1))
        await abuser.say('{"seq":2,"readings":[oops')
        error, code = await abuser.hear_last_word()
        assert (error["seq"], code) == (2, 4400)
    async with device(hub.url, token) as abuser:
        assert (await abuser.hello(stream, 2, 3))["resume"]["committed"] == 1
        await abuser.say({"seq": 2, "readings": []}, frame(3))
        await abuser.hear_acks_through(3)


async def test_a_frame_as_large_as_announced_is_taken_and_a_larger_one_closes(
    hub: Hub, token: str
) -> None:
    fitting = '{"readings":[]}'.ljust(FRAME_BYTES)
    async with device(hub.url, token) as abuser:
        welcome = await abuser.ask({"type": "hello"})
        assert welcome["limits"]["frame_bytes"] == FRAME_BYTES
        assert (await abuser.ask(fitting))["type"] == "ack"
        await abuser.say(fitting + " ")
        message = "a frame has at most 262144 bytes"
        error = {"type": "error", "code": "frame_too_large", "message": message}
        assert await abuser.hear_last_word() == (error, 4413)


async def test_a_frame_is_measured_in_bytes_not_in_characters(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        await abuser.say('{"x":"' + "ü" * (FRAME_BYTES // 2) + '"}')
        assert (await abuser.hear_last_word())[1] == 4413


async def test_a_frame_beyond_the_hard_cap_closes_with_1009(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        await abuser.say(" " * (4 * 1024 * 1024 + 1))
        assert await abuser.hear_nothing_but_the_close() == 1009


async def test_a_frame_with_more_readings_than_announced_is_refused_whole(
    hub: Hub, token: str
) -> None:
    many = {"columns": {"x": [1] * 10_001}}
    async with device(hub.url, token) as abuser:
        ack = await abuser.ask(many)
        assert (ack["stored"], ack["rejected"]) == (0, 10_001)
        (error,) = ack["errors"]
        assert (error["code"], error["count"]) == ("bad_frame", 10_001)


@pytest.mark.parametrize("path", ["/ws/ingest", "/ws/", "/", "/ws/ingest/more", "/ws/devices/"])
async def test_an_unknown_websocket_path_is_refused_before_it_opens(
    hub: Hub, token: str, path: str
) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with device(f"ws://127.0.0.1:{hub.port}{path}", token):
            pass


@pytest.mark.parametrize("path", ["/nothing/", "/ingest/more/", "/%00", "/%ff", "/..%2f..%2fetc"])
def test_an_unknown_http_path_is_not_found(hub: Hub, path: str) -> None:
    assert hub.ask(path).status == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/nothing/"])
def test_an_invented_http_method_makes_no_new_figure(hub: Hub, path: str) -> None:
    hub.ask("/metrics")
    before = hub.figures().keys()
    assert hub.ask(path, method="BREW").status < 500
    assert hub.figures().keys() == before


async def test_the_fifth_plain_connection_of_a_device_is_refused(hub: Hub) -> None:
    token = hub.store.add_device("crowd")
    async with (
        device(hub.url, token) as first,
        device(hub.url, token) as second,
        device(hub.url, token) as third,
        device(hub.url, token) as fourth,
        device(hub.url, token) as fifth,
    ):
        for plain in (first, second, third, fourth):
            await plain.ask({"x": 1})
        await fifth.say({"x": 1})
        error, code = await fifth.hear_last_word()
        assert (error["code"], code) == ("too_many_connections", 4429)
        assert (await first.ask({"x": 1}))["type"] == "ack"


async def test_frames_far_beyond_the_window_close_with_4429(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        window = (await abuser.hello())["limits"]["in_flight"]
        await abuser.say(*(frame(seq) for seq in range(2, 2 * window + 3)))
        error, code = await abuser.hear_last_word()
        assert (error["code"], code) == ("window_exceeded", 4429)


def shaking_hands(hub: Hub, token: str) -> socket.socket:
    """A WebSocket on a bare socket, open, for what no library would send."""
    raw = socket.create_connection(("127.0.0.1", hub.port), timeout=20)
    raw.sendall(
        b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    answered = b""
    while b"\r\n\r\n" not in answered:
        answered += raw.recv(4096)
    assert b" 101 " in answered
    return raw


def framed(opcode: int, body: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A WebSocket frame of fewer than 126 bytes, masked with zeros."""
    head = bytes([(0x80 if final else 0) | opcode, (0x80 if masked else 0) | len(body)])
    return head + (bytes(4) if masked else b"") + body


WIRE = {
    "text that is not UTF-8": (framed(1, b'{"x":"\xff"}'), 1007),
    "a surrogate in UTF-8": (framed(1, b'{"x":"\xed\xa0\x80"}'), 1007),
    "a frame that is not masked": (framed(1, b"{}", masked=False), 1002),
    "an opcode that there is not": (framed(5, b"{}"), 1002),
    "a continuation of nothing": (framed(0, b"{}"), 1002),
    "a ping that is cut up": (framed(9, b"x", final=False), 1002),
}


@pytest.mark.parametrize("what", WIRE)
def test_what_is_no_websocket_ends_that_connection(hub: Hub, token: str, what: str) -> None:
    sent, code = WIRE[what]
    with closing(shaking_hands(hub, token)) as raw:
        raw.sendall(sent)
        heard = raw.recv(4, socket.MSG_WAITALL)
        assert heard[0] == 0x88
        assert struct.unpack(">H", heard[2:]) == (code,)


@pytest.mark.parametrize("linger", [False, True])
def test_a_device_that_vanishes_in_mid_frame_stores_nothing(
    hub: Hub, token: str, linger: bool
) -> None:
    with closing(shaking_hands(hub, token)) as raw:
        raw.sendall(framed(1, b'{"vanished":1.5}')[:-3])
        if linger:  # a reset instead of an orderly end
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert hub.ask("/healthz").status == 200
    assert not hub.store.rows("SELECT 1 FROM devices_series WHERE metric = 'vanished'")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS, to a port that speaks none
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000,
        b"POST /ingest/ HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /ingest/ HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{",
    ],
)
def test_what_is_no_request_harms_nobody(hub: Hub, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        try:
            while raw.recv(4096):
                pass
        except ConnectionError:
            pass
    assert hub.ask("/healthz").status == 200
