"""Messages and requests that no device should send: answered by name, and nobody else is harmed.

What breaks one rule on one connection stands in `faults.abuse`, and is said to a hub by that fault.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from faults.abuse import FRAME_BYTES
from faults.raw import RawSocket, bearer, said
from faults.wire import RESET
from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store

pytestmark = pytest.mark.usefixtures("neighbour")


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


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


async def test_a_frame_as_large_as_announced_is_taken(hub: Hub, token: str) -> None:
    async with device(hub.url, token) as abuser:
        welcome = await abuser.ask({"type": "hello"})
        assert welcome["limits"]["frame_bytes"] == FRAME_BYTES
        assert (await abuser.ask('{"readings":[]}'.ljust(FRAME_BYTES)))["type"] == "ack"


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


@pytest.mark.parametrize("linger", [False, True])
def test_a_device_that_vanishes_in_mid_frame_stores_nothing(
    hub: Hub, token: str, linger: bool
) -> None:
    with RawSocket.open(hub.port, headers=bearer(token)) as raw:
        raw.send(said({"vanished": 1.5})[:-3])
        if linger:  # a reset instead of an orderly end
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
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
        try:
            raw.sendall(sent)
            raw.shutdown(socket.SHUT_WR)  # the hub may have ended it before
            while raw.recv(4096):
                pass
        except OSError:
            pass
    assert hub.ask("/healthz").status == 200
