"""What `project/server/` leans on inside Daphne, Autobahn and Twisted.

None of it is promised by them. A newer version that moves one of these fails here with the name of
what moved, and `project/server/` is to be read again before the pin is raised.
"""

from __future__ import annotations

import inspect
import time
from typing import Any

import daphne.http_protocol
import daphne.server
import daphne.ws_protocol
import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import base, reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection
from twisted.web.http import H2_ENABLED, HTTPChannel

from project.server import requests, runner, sockets
from tests.integration.server.peer import HANDSHAKE, Peer


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


async def accepts(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


OVERRIDDEN = [
    (daphne.server.Server, "create_application", ["protocol", "scope"]),
    (daphne.server.Server, "protocol_disconnected", ["protocol"]),
    (daphne.server.Server, "handle_reply", ["protocol", "message"]),
    (daphne.server.Server, "run", []),
    (daphne.server.Server, "stop", []),
    (daphne.ws_protocol.WebSocketProtocol, "onConnect", ["request"]),
    (daphne.ws_protocol.WebSocketProtocol, "onOpen", []),
    (daphne.ws_protocol.WebSocketProtocol, "onMessage", ["payload", "isBinary"]),
    (daphne.ws_protocol.WebSocketProtocol, "onClose", ["wasClean", "code", "reason"]),
    (daphne.ws_protocol.WebSocketProtocol, "check_timeouts", []),
    (daphne.ws_protocol.WebSocketProtocol, "serverAccept", ["subprotocol"]),
    (WebRequest, "handle_exception", ["exception"]),
    (WebRequest, "check_timeouts", []),
    (HTTPFactory, "buildProtocol", ["addr"]),
    (WebSocketServerProtocol, "connectionMade", []),
    (WebSocketServerProtocol, "dataReceived", ["data"]),
    (WebSocketServerProtocol, "_closeConnection", ["abort"]),
    (WebSocketProtocol, "_dataReceived", ["data"]),
    (WebSocketProtocol, "consumeData", []),
    (WebSocketProtocol, "processData", []),
    (WebSocketProtocol, "sendData", ["data", "sync", "chopsize"]),
    (WebSocketProtocol, "sendCloseFrame", ["code", "reasonUtf8", "isReply"]),
    (WebSocketProtocol, "_fail_connection", ["code", "reason"]),
    (WebSocketProtocol, "_sendAutoPing", []),
    (WebSocketProtocol, "_cancelAutoPingTimeoutCall", []),
    (WebSocketProtocol, "onAutoPingTimeout", []),
    (WebSocketProtocol, "dropConnection", ["abort"]),
    (HTTPChannel, "connectionMade", []),
    (HTTPChannel, "dataReceived", ["data"]),
    (HTTPChannel, "allHeadersReceived", []),
    (HTTPChannel, "rawDataReceived", ["data"]),
    (HTTPChannel, "allContentReceived", []),
    (HTTPChannel, "connectionLost", ["reason"]),
    (HTTPChannel, "pauseProducing", []),
    (HTTPChannel, "resumeProducing", []),
    (Connection, "abortConnection", []),
    (FileDescriptor, "registerProducer", ["producer", "streaming"]),
]


@pytest.mark.parametrize(("owner", "name", "takes"), OVERRIDDEN)
def test_what_is_overridden_or_called_is_there(owner: type, name: str, takes: list[str]) -> None:
    assert hasattr(owner, name), f"{owner.__name__}.{name} is gone"
    assert parameters(getattr(owner, name)) == takes, f"{owner.__name__}.{name} takes other things"


def test_nothing_but_our_own_loops_calls_daphnes_timers() -> None:
    """Daphne's own `run` starts its timers on the wall clock; ours takes its place."""
    assert runner.HubServer.run is not daphne.server.Server.run
    started = inspect.getsource(daphne.server.Server.run)
    assert "application_checker" in started
    assert "timeout_checker" in started


def test_a_server_sets_what_daphnes_protocols_read(peer: Peer) -> None:
    """`WebRequest` and `WebSocketProtocol` read these of the server; its own `run` sets some."""
    for name in (
        *("application", "action_logger", "server_name", "root_path", "request_buffer_size"),
        *("proxy_forwarded_address_header", "ping_interval", "connections", "ws_factory"),
        *("http_timeout", "application_close_timeout"),
    ):
        assert hasattr(peer.server, name), f"Daphne's server has no {name} any more"
    assert peer.server.http_timeout is None


@pytest.fixture
async def peer() -> Any:
    peer = Peer(accepts)
    yield peer
    peer.end()


async def test_a_websocket_takes_the_transport_over_from_its_channel(peer: Peer) -> None:
    """Daphne gives `transport.protocol` away; the channel stays the transport's producer."""
    channel = peer.protocol
    assert isinstance(channel, requests.HubChannel), "the factory makes other channels"
    assert peer.transport.producer is channel, "the channel is not its transport's producer"
    assert peer.transport.streamingProducer
    peer.say(HANDSHAKE)
    await peer.turn()
    assert isinstance(peer.protocol, sockets.HubSocket), "the transport was not handed over"
    assert peer.transport.producer is peer.protocol
    assert channel not in peer.server.http_factory._channels


async def test_an_open_websocket_has_the_state_that_is_read(peer: Peer) -> None:
    peer.say(HANDSHAKE)
    await peer.turn()
    socket = peer.protocol
    assert socket.state == socket.STATE_OPEN
    assert (socket.data, socket.inside_message, socket.current_frame) == (b"", False, None)
    assert (socket.autoPingTimeoutCall, socket.autoPingPending) == (None, None)
    assert socket._perMessageCompress is None, "a text may be compressed, and is read past Autobahn"
    assert socket.autoPingInterval == 0, "Autobahn pings by itself"
    assert socket.autoPingRestartOnAnyTraffic
    assert socket.failByDrop is False
    assert socket.requireMaskedClientFrames
    socket._sendAutoPing()
    assert socket.autoPingTimeoutCall is not None
    assert socket.autoPingPending


async def test_a_channel_has_the_state_that_is_read(peer: Peer) -> None:
    channel = peer.protocol
    assert channel._handlingRequest is False
    assert channel._networkProducer is peer.transport
    peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    await peer.turn()
    assert channel.length == 4
    assert channel._handlingRequest is False


def test_a_transport_tells_what_it_holds() -> None:
    transport = FileDescriptor(reactor)
    assert (transport.dataBuffer, transport.offset, transport._tempDataLen) == (b"", 0, 0)
    assert transport.bufferSize == 65_536, "its high water, and what it reads at once"


def test_the_reactor_keeps_its_time_by_the_clock_it_is_given() -> None:
    """And Autobahn's timers are the reactor's."""
    assert reactor.seconds is time.monotonic
    later = reactor.callLater(1_000, lambda: None)
    assert 900 < later.getTime() - time.monotonic() < 1_100
    later.cancel()
    assert "self.seconds()" in inspect.getsource(base.ReactorBase.runUntilCurrent)


def test_no_other_place_asks_daphne_for_the_wall_clock() -> None:
    """Where it does, it is overridden, or only for a log that is off."""
    counted = {
        module.__name__: inspect.getsource(module).count("time.time()")
        for module in (daphne.server, daphne.ws_protocol, daphne.http_protocol)
    }
    assert counted == {"daphne.server": 3, "daphne.ws_protocol": 6, "daphne.http_protocol": 2}


def test_http_2_is_off() -> None:
    assert not H2_ENABLED, "its connections are bounded by nothing here"
