"""The shipped configuration of nginx, run by the real one before two hubs of one `runhub`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.typing import Origin, Subprotocol

from tests.acceptance.browsing import FORM, PASSWORD, add_operator
from tests.acceptance.devices import PATIENCE_S, Device, frame
from tests.hubs import Answer, Hub, Hubs, Store, wait_until
from tests.nginx import Nginx
from tests.programs import ZEROS, Simulators, differences, reconciled

ADDRESS_REQUESTS = 100
"""How many an address may have at once, as the configuration has it."""
OPTIONS = {
    "WEIR_TRUSTED_PROXIES": "127.0.0.1",
    "WEIR_HTTPS": "true",
    "WEIR_ALLOWED_HOSTS": "localhost,127.0.0.1",
    "WEIR_FAILED_LOGINS_PER_MIN": 2,
    "WEIR_PING_S": 1,
    "WEIR_STOP_TIMEOUT_S": 4,
}


@pytest.fixture(scope="module")
def hubs(
    new_store: Callable[[str], Store],
    redis_server_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hubs]:
    store, folder = new_store("postgresql"), tmp_path_factory.mktemp("hubs")
    add_operator(store)
    with Hubs(store, folder, 2, redis_url=redis_server_url, options=OPTIONS) as hubs:
        yield hubs
        assert "Traceback" not in hubs.log


@pytest.fixture(scope="module")
def nginx(hubs: Hubs, nginx_program: Path) -> Iterator[Nginx]:
    with Nginx(nginx_program, hubs.ports) as nginx:
        yield nginx


class Pinged(ClientConnection):
    """Counts how often it was asked whether it is there."""

    pings = 0

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


@asynccontextmanager
async def device(nginx: Nginx, token: str) -> AsyncIterator[Device]:
    async with connect(
        nginx.url,
        ssl=nginx.trusting,
        subprotocols=[Subprotocol("weir.v1")],
        additional_headers={"Authorization": f"Bearer {token}"},
        open_timeout=PATIENCE_S,
        ping_interval=None,
        proxy=None,
        create_connection=Pinged,
    ) as connection:
        yield Device(connection)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Devices


async def test_a_device_is_served_over_tls(hubs: Hubs, nginx: Nginx) -> None:
    token = hubs.store.add_device("roof")
    async with device(nginx, token) as roof:
        await roof.hello()
        assert (await roof.ask(frame(1)))["stored"] == 1
    answer = nginx.ask("/ingest/", b'{"x": 1}', headers=bearer(token))
    assert answer.json["stored"] == 1


async def test_connections_go_to_the_hub_that_has_the_fewest(hubs: Hubs, nginx: Nginx) -> None:
    token = hubs.store.add_device("many")
    async with AsyncExitStack() as stack:
        for _ in range(10):
            one = await stack.enter_async_context(device(nginx, token))
            assert (await one.hello())["type"] == "welcome"
        assert [hub.figures()["weir_devices_connected"] for hub in hubs.each] == [5, 5]


async def test_a_silent_device_is_asked_by_its_hub_whether_it_is_there(
    hubs: Hubs, nginx: Nginx
) -> None:
    async with device(nginx, hubs.store.add_device("silent")) as silent:
        await silent.hello()
        connection = silent.connection
        assert isinstance(connection, Pinged)
        await asyncio.to_thread(wait_until, lambda: connection.pings > 1, "it is asked twice")
        assert (await silent.ask(frame(1)))["seq"] == 1


def test_a_fleet_loses_nothing_when_a_hub_is_killed_or_restarted(
    hubs: Hubs, nginx: Nginx, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(nginx.certificate))
    uids, ledger = [f"sim-{n}" for n in range(8)], folder / "ledger"
    tokens = hubs.store.write_tokens(folder / "tokens", uids)
    run = ("--rate", "20", "--samples", "3", "--duration", "forever", "--wait", "60s")
    given = ("--url", nginx.url, "--ledger", str(ledger))
    with Simulators(hubs, tokens, "run", *run, *given) as fleet:
        for hub, number in zip(hubs.each, (signal.SIGKILL, signal.SIGTERM), strict=True):
            wait_for_more(hubs.store)
            before = hubs.pid_of(hub.port)
            os.kill(before, number)
            wait_until(partial(is_another, hubs, hub, before), "it is started again, and answers")
        wait_for_all(hubs.store)
        result = fleet.stop()
    assert (result["unacked"], result["dropped"]) == (0, 0)
    assert result["reconnects"] >= 2
    report = reconciled(hubs.store, ledger)
    assert differences(report) == ZEROS, report["examples"]


def wait_for_more(store: Store) -> None:
    stored = "SELECT coalesce(sum(stored), 0) FROM ingest_stream"
    enough = store.number(stored) + 200
    wait_until(lambda: store.number(stored) >= enough, "readings arrive")


def wait_for_all(store: Store) -> None:
    """Until each device of the fleet is served again."""
    before = committed(store)
    wait_until(
        lambda: all(now > before[uid] for uid, now in committed(store).items()), "all are back"
    )


def committed(store: Store) -> dict[str, int]:
    rows = store.rows(
        "SELECT d.uid, s.committed FROM ingest_stream s JOIN devices_device d"
        " ON d.id = s.device_id WHERE d.uid LIKE 'sim-_'"
    )
    return {uid: frames for uid, frames in rows}  # noqa: C416 (rows have no width to mypy)


def is_another(hubs: Hubs, hub: Hub, before: int) -> bool:
    with suppress(OSError):
        return hubs.pid_of(hub.port) != before and hub.ask("/healthz").status == 200
    return False


async def test_a_hub_that_does_not_accept_is_left_out(hubs: Hubs, nginx_program: Path) -> None:
    token = hubs.store.add_device("left out")
    with Nginx(nginx_program, [1, *hubs.ports]) as nginx:
        for n in range(6):
            answer = nginx.ask("/ingest/", b'{"n": %d}' % n, headers=bearer(token))
            assert answer.json["stored"] == 1
        async with device(nginx, token) as one:
            assert (await one.hello())["type"] == "welcome"


def test_where_no_hub_answers_it_is_said_when_to_come_again(nginx_program: Path) -> None:
    with Nginx(nginx_program, [1]) as nginx:
        answer = nginx.ask("/ingest/", b'{"x": 1}')
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


# Doors


def test_plain_http_is_sent_on_to_https_but_for_devices(nginx: Nginx) -> None:
    page = nginx.ask("/devices/?q=roof", plain=True)
    assert page.status == 308
    assert page.headers["Location"] == "https://localhost/devices/?q=roof"
    for path in ("/ingest/", "/ws/ingest/", "/ws/live/"):
        answer = nginx.ask(path, plain=True)
        assert (answer.status, answer.body[:4]) == (403, "Use ")


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics"]
)
def test_figures_are_not_public(nginx: Nginx, path: str) -> None:
    assert nginx.ask(path).status == 404
    assert "weir_" not in nginx.ask(path).body


def test_whether_a_hub_is_ready_is_told_without_details(nginx: Nginx, hubs: Hubs) -> None:
    assert hubs.ask("/readyz").json["writer"] == "ok"
    shown = nginx.ask("/readyz", headers={"X-Forwarded-For": "192.0.2.7"})
    assert (shown.status, shown.json["ready"]) == (200, True)


# Pages


class Browser:
    """It keeps cookies, and says of itself what anybody could."""

    def __init__(self, nginx: Nginx, **said: str) -> None:
        self.nginx = nginx
        self.said = {name.replace("_", "-"): value for name, value in said.items()}
        self.cookies = SimpleCookie()

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.nginx.port}"

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())

    def ask(self, path: str, body: bytes | None = None, **more: str) -> Answer:
        headers = {"Cookie": self.cookie, "Origin": self.origin} | self.said | more
        answer = self.nginx.ask(path, body, headers=headers)
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(line)
        return answer

    def log_in(self, password: str = PASSWORD) -> int:
        self.ask("/accounts/login/")
        token = self.cookies["csrftoken"].value
        form = {"username": "ada", "password": password, "csrfmiddlewaretoken": token}
        body = urlencode(form).encode()
        return self.ask("/accounts/login/", body, **{"Content-Type": FORM}).status


def test_a_login_is_good_at_every_hub_and_for_https_alone(nginx: Nginx) -> None:
    browser = Browser(nginx, X_Forwarded_Proto="http")
    assert browser.log_in() == 302
    for _ in range(4):
        page = browser.ask("/")
        assert page.status == 200
        assert page.headers["Strict-Transport-Security"] == "max-age=2592000"
    assert all(morsel["secure"] for morsel in browser.cookies.values())


async def test_a_page_is_told_what_is_live(hubs: Hubs, nginx: Nginx) -> None:
    browser = Browser(nginx)
    assert browser.log_in() == 302
    async with connect(
        nginx.url.replace("ingest", "live"),
        ssl=nginx.trusting,
        origin=Origin(browser.origin),
        additional_headers={"Cookie": browser.cookie},
        proxy=None,
        max_size=None,
    ) as live:
        await live.send('{"type":"subscribe"}')
        async with asyncio.timeout(PATIENCE_S):
            assert json.loads(await live.recv())["type"] == "snapshot"


def test_nobody_guesses_on_under_an_address_that_he_invented(nginx: Nginx) -> None:
    statuses = []
    for n in range(6):
        invented = f"203.0.113.{n}"
        browser = Browser(nginx, X_Forwarded_For=invented, Forwarded=f"for={invented}")
        statuses.append(browser.log_in("a guess"))
    assert statuses[0] == 200  # the form again
    assert statuses[-1] == 429


def test_scripts_are_sent_compressed(nginx: Nginx) -> None:
    asked = {"Accept-Encoding": "gzip"}
    script = nginx.ask("/static/dashboards/live.js", headers=asked, method="HEAD")
    assert (script.status, script.headers["Content-Encoding"]) == (200, "gzip")


# Bounds


def test_a_body_is_bounded_by_nginx_and_below_that_by_the_hub_in_words(
    hubs: Hubs, nginx: Nginx
) -> None:
    headers = bearer(hubs.store.add_device("large"))
    named = nginx.ask("/ingest/", b" " * 300_000, headers=headers)
    assert (named.status, named.json["code"]) == (413, "frame_too_large")
    assert nginx.ask("/ingest/", b" " * 5_000_000, headers=headers).status == 413
    assert nginx.ask("/accounts/login/", b" " * 1_100_000).status == 413


def test_a_request_that_comes_slowly_reaches_no_hub(nginx: Nginx) -> None:
    with nginx.open() as slow:
        slow.sendall(
            b"POST /ingest/?slowly HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
        )
        assert nginx.ask("/healthz").status == 200
    wait_until(lambda: '/ingest/ HTTP/1.1" 400' in nginx.log, "nginx has given it up")
    [line] = [line for line in nginx.log.splitlines() if '/ingest/ HTTP/1.1" 400' in line]
    assert line.endswith("hub=-")
    assert "slowly" not in nginx.log


def test_an_address_has_so_many_requests_at_once(nginx: Nginx) -> None:
    half = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(ADDRESS_REQUESTS):
            stack.enter_context(nginx.open()).sendall(half)
        wait_until(lambda: nginx.ask("/accounts/login/").status == 429, "one more is refused")
        refused = nginx.ask("/accounts/login/")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
        assert nginx.ask("/ingest/").status != 429  # devices are counted apart
    wait_until(lambda: nginx.ask("/accounts/login/").status == 200, "there is room again")


async def test_what_is_no_websocket_is_not_upgraded(nginx: Nginx) -> None:
    asked = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABk",
    }
    assert nginx.ask("/healthz", headers=asked).status == 200
    with pytest.raises(InvalidStatus):
        await connect(nginx.url.replace("/ws/ingest/", "/ws/none/"), ssl=nginx.trusting, proxy=None)
