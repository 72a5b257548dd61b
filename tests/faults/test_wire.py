"""The relay that faults cut: what passes, and what does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from faults.wire import Wire
from tests.hubs import wait_until

PATIENCE_S = 20.0


def echo(listener: socket.socket) -> None:
    """Send back what comes, on each connection, until the listener is shut down."""

    def answer(peer: socket.socket) -> None:
        with peer:
            try:
                while said := peer.recv(1 << 16):
                    peer.sendall(said)
            except OSError:
                return

    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=[peer], daemon=True).start()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """To an echo."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo, args=[listener], daemon=True)
        thread.start()
        with Wire(listener.getsockname()[1]) as wire:
            yield wire
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def dial(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=PATIENCE_S)


def hear(link: socket.socket, length: int) -> bytes:
    heard = b""
    while len(heard) < length:
        piece = link.recv(length - len(heard))
        assert piece
        heard += piece
    return heard


def test_it_carries_both_ways_and_passes_the_end_on(wire: Wire) -> None:
    said = bytes(range(256)) * 4_000
    with closing(dial(wire)) as link:
        threading.Thread(target=link.sendall, args=[said]).start()
        assert hear(link, len(said)) == said
        link.shutdown(socket.SHUT_WR)
        assert link.recv(1) == b""
    wait_until(lambda: wire.connections == 0, "the connection is forgotten")


def test_a_cut_resets_and_the_next_connection_passes(wire: Wire) -> None:
    with closing(dial(wire)) as one, closing(dial(wire)) as two:
        wait_until(lambda: wire.connections == 2, "both are through")
        assert wire.cut() == 2
        for link in (one, two):
            with pytest.raises(ConnectionResetError):
                link.recv(1)
    with closing(dial(wire)) as link:
        link.sendall(b"again")
        assert hear(link, 5) == b"again"


def test_what_is_frozen_passes_later(wire: Wire) -> None:
    with closing(dial(wire)) as link:
        link.sendall(b"one")
        assert hear(link, 3) == b"one"
        wire.freeze()
        link.sendall(b"two")
        link.settimeout(0.3)
        with pytest.raises(TimeoutError):
            link.recv(1)
        link.settimeout(PATIENCE_S)
        wire.thaw()
        assert hear(link, 3) == b"two"


def test_who_is_refused_is_reset(wire: Wire) -> None:
    wire.refusing = True
    with pytest.raises(ConnectionResetError), closing(dial(wire)) as link:
        link.recv(1)
    assert wire.connections == 0


def test_slow_pieces_arrive_whole(wire: Wire) -> None:
    wire.delay_s, wire.bytes_per_s = 0.01, 1_000.0
    with closing(dial(wire)) as link:
        link.sendall(b"x" * 150)
        assert hear(link, 150) == b"x" * 150
