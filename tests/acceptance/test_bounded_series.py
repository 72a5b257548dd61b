"""Whatever is sent to a hub, `/metrics` keeps its size: nothing that is sent becomes a label."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.acceptance.devices import device
from tests.hubs import DEADLINE_S, Hub, Store

PATHS = 1_000
WHERE = ["unknown", "devices", "ingest", "metrics", "static", "accounts"]


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub")) as hub:
        yield hub
        assert "Traceback" not in hub.log


def ask_for_paths(hub: Hub, numbers: range) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=DEADLINE_S)
    with closing(connection):
        for n in numbers:
            where = ["/unknown/{}", "/devices/{}/", "/ingest/{}", "/metrics/{}", "/static/{}"][
                n % 5
            ]
            connection.request("GET", where.format(n), headers={"X-Name": str(n)})
            connection.getresponse().read()


def ask_by_methods(hub: Hub, numbers: range) -> None:
    for n in numbers:
        for path in ("/", "/ingest/", "/healthz", "/readyz", "/metrics", "/ws/ingest/"):
            hub.ask(path, method=f"INVENTED{n}")


def ask_by_hosts(hub: Hub, numbers: range) -> None:
    for n in numbers:
        assert hub.ask("/", headers={"Host": f"host-{n}.example"}).status == 400
        hub.ask("/metrics", headers={"Host": f"host-{n}.example", "User-Agent": f"agent {n}"})


def speak_nonsense(hub: Hub, numbers: range) -> None:
    for n in numbers:
        with socket.create_connection(("127.0.0.1", hub.port), timeout=DEADLINE_S) as raw:
            raw.sendall(f"NONSENSE{n} / SPDY/{n}\r\nHost: a\r\n\r\n".encode())
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65_536):
                pass


async def open_sockets(hub: Hub, numbers: range) -> None:
    for n in numbers:
        asked = [
            (hub.url, f"wrong-{n}", ["weir.v1"]),
            (f"{hub.url}?n={n}", None, [f"protocol-{n}"]),
            (f"{hub.url}{n}/", None, ["weir.v1"]),
            (hub.url.replace("ingest", "live"), None, None),
        ]
        for url, token, offered in asked:
            try:
                async with device(url, token, subprotocols=offered) as one:
                    await one.say({"type": f"type-{n}", f"metric-{n}": 1})
                    await one.connection.wait_closed()
            except (InvalidStatus, ConnectionClosed):
                continue


async def test_the_number_of_series_does_not_grow_with_what_is_sent(hub: Hub) -> None:
    token = hub.store.add_device("roof")

    async def send_all(numbers: range) -> None:
        ask_for_paths(hub, range(numbers.start * 100, numbers.stop * 100))
        ask_by_methods(hub, numbers)
        ask_by_hosts(hub, numbers)
        speak_nonsense(hub, numbers)
        await open_sockets(hub, numbers)
        for n in numbers:
            headers = {"Authorization": f"Bearer {token}"}
            hub.ask("/ingest/", f'{{"metric-{n}":1}}', headers=headers)
            hub.ask("/ingest/", f'{{"code-{n}":{{}}}}', headers=headers)

    await send_all(range(1))  # one of each, so that what there may be is there
    before = hub.figures()
    await send_all(range(1, PATHS // 100 + 1))
    assert hub.figures().keys() == before.keys()
