"""A token is in a device's hands and nowhere else, whatever is done with it.

Devices send, right and wrong tokens are shown in every way and put where they do not belong, pages
fail, with WEIR_DEBUG and without. Then all that the hub wrote, answered and stored is searched.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from devices.models import Device as DeviceRow
from devices.tokens import draw
from tests.acceptance.browsing import Browser, add_operator
from tests.acceptance.devices import device, frame
from tests.hubs import Answer, Hub, Store
from tests.servers import UVICORN

METRICS_TOKEN = "a token for prometheus"
SECRET_KEY = "of-these-tests-0123456789-abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(
    params=[
        ("sqlite", "as it is"),
        ("sqlite", "with debug"),
        ("sqlite", "by uvicorn"),
        ("postgresql", "with debug and json"),
    ],
    ids=" ".join,
)
def hub(
    request: pytest.FixtureRequest, new_store: Callable[[str], Store], folder: Path
) -> Iterator[Hub]:
    engine, served = request.param
    store = new_store(engine)
    add_operator(store)
    options = {
        "WEIR_DEBUG": str("debug" in served).lower(),
        "WEIR_LOG_FORMAT": "json" if "json" in served else "text",
        "WEIR_SECRET_KEY": SECRET_KEY,
        "WEIR_METRICS_TOKEN": METRICS_TOKEN,
        "WEIR_FAILED_TOKENS_PER_MIN": 1_000,
    }
    hub = Hub(store, folder, options=options)
    if served == "by uvicorn":
        hub.command = [sys.executable, *UVICORN]
    with hub:
        yield hub


class Ear:
    """Hears all that a hub says while tokens are shown to it."""

    def __init__(self, hub: Hub, browser: Browser) -> None:
        self.hub = hub
        self.browser = browser
        self.heard: list[str] = []

    def ask(self, path: str, body: str | None = None, **headers: str) -> Answer:
        answer = self.hub.ask(path, body, headers={"Cookie": self.browser.cookie} | headers)
        self.heard.append(f"{answer.headers}\n{answer.body}")
        return answer

    async def say(self, token: str | None, *messages: Any, url: str = "", **how: Any) -> None:
        """Say all of it on one socket, and hear what comes until it is over."""
        try:
            async with device(url or self.hub.url, token, **how) as one:
                self.heard.append(str(one.connection.response))
                await one.say(*messages, "this ends it")
                while True:
                    self.heard.append(str(await one.connection.recv()))
        except InvalidStatus as refused:
            self.heard.append(str(refused.response))
        except ConnectionClosed as closed:
            self.heard.append(str(closed))


async def show(ear: Ear, token: str) -> None:
    """In every way there is to show one."""
    await ear.say(token, {"x": 1}, {"x": "of another kind"}, {"bad name": 1})
    await ear.say(None, {"type": "hello", "token": token}, {"x": 2})
    hello = {"type": "hello", "token": token, "stream": "s", "held": {"first": 1, "last": 0}}
    await ear.say(None, hello, frame(1), frame(1, 9), frame(9))
    await ear.say(None, {"x": 3}, subprotocols=["weir.v1", f"bearer.{token}"])
    ear.ask("/ingest/", '{"x":4}', Authorization=f"Bearer {token}")
    ear.ask("/ingest/", "no frame", Authorization=f"Bearer {token}")


async def misplace(ear: Ear, token: str) -> None:
    """Where it does not belong."""
    for asked in (f"?token={token}", f"?access_token={token}", f"{token}/"):
        await ear.say(None, {"x": 1}, url=ear.hub.url + asked)
        answer = ear.ask(f"/ingest/{asked}", '{"x":1}')
        assert answer.status in ({401} if asked.startswith("?") else {404, 403})
        for path in ("/", "/unknown/", "/accounts/login/", "/admin/devices/device/", "/metrics"):
            ear.ask(f"{path}{asked}", Authorization=f"Bearer {token}", Referer=f"http://a/{asked}")
    await ear.say(None, subprotocols=[f"bearer.{token}"])
    await ear.say(None, subprotocols=["mqtt", f"bearer.{token}"])
    await ear.say(None, f'{{"type":"hello","token":"{token}"')
    await ear.say(None, {"type": "hello", "token": [token]}, {"type": "hello", "stream": token})
    await ear.say(None, {"type": "hello", "tok": token}, {"seq": token})
    ear.ask("/ingest/", f'{{"type":"hello","token":"{token}"}}', Authorization=f"Bearer {token}")
    ear.ask("/ingest/", '{"x":1}', Authorization=f"Basic {token}")
    ear.ask("/ingest/", '{"x":1}', Cookie=f"token={token}")
    ear.ask("/", Host=f"{token}.example")


def break_a_page(ear: Ear, token: str) -> None:
    """A bug: a page whose table is gone."""
    ear.hub.store.rows("ALTER TABLE django_admin_log RENAME TO gone")
    shown = {"Authorization": f"Bearer {token}", "Referer": f"http://a/?token={token}"}
    answer = ear.ask(f"/admin/?token={token}", **shown)
    assert answer.status == 500
    ear.hub.store.rows("ALTER TABLE gone RENAME TO django_admin_log")
    assert "Traceback" in ear.hub.log


def look_everywhere(ear: Ear, uid: str) -> None:
    number = ear.hub.store.device_id(uid)
    for path in ("/", f"/devices/{uid}/", f"/devices/{uid}/refused/", "/admin/", "/metrics"):
        assert ear.ask(path).status == 200, path
    assert "weir_tokens_total" in ear.heard[-1]
    for page in ("device/", f"device/{number}/change/", f"device/{number}/history/", "series/"):
        assert ear.ask(f"/admin/devices/{page}").status == 200, page


def issue_on_a_page(ear: Ear, uid: str) -> str:
    """Where a token is shown, once."""
    number = ear.hub.store.device_id(uid)
    path = f"/admin/devices/device/{number}/tokens/issue/"
    ear.browser.ask(ear.hub, path)
    shown = ear.browser.send(ear.hub, path, label="made on a page").body
    start = shown.index("weir_")
    return shown[start : start + 59]


def operate_on_the_page(ear: Ear, uid: str) -> list[str]:
    """Rotate a token, and try the device: both show one, once."""
    hub, browser = ear.hub, ear.browser
    page = browser.ask(hub, f"/devices/{uid}/").body
    newest = page.split('name="newest" value="', 1)[1].split('"', 1)[0]
    rotate = f"/devices/{uid}/tokens/rotate/"
    asked = {"newest": newest, "changeover": "3600", "label": "rotated"}
    shown = browser.send(hub, rotate, **asked).body
    start = shown.index("weir_")
    again = browser.send(hub, rotate, **asked)
    assert again.status == 302
    ear.heard.append(f"{again.headers}\n{again.body}")
    tried = browser.send(hub, f"/devices/{uid}/try/begin/").json
    ended = browser.send(hub, f"/devices/{uid}/try/end/", id=str(tried["id"]))
    ear.heard.append(f"{ended.headers}\n{ended.body}")
    return [shown[start : start + 59], tried["token"]]


def dump(store: Store, programs: Callable[[], Path]) -> str:
    if store.is_sqlite:
        path = store.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as database:
            text = "\n".join(database.iterdump())
        files = Path(path).parent.glob(f"{Path(path).name}*")
        return text + "".join(file.read_bytes().decode("latin-1") for file in files)
    found = shutil.which("pg_dump", path=programs())
    assert found is not None
    return subprocess.run(
        [found, "--inserts", store.url], capture_output=True, check=True, text=True
    ).stdout


async def test_a_token_is_found_nowhere(hub: Hub, request: pytest.FixtureRequest) -> None:
    browser = Browser()
    assert browser.log_in(hub).status == 302
    ear = Ear(hub, browser)
    good, revoked = hub.store.add_device("good"), hub.store.add_device("good")
    hub.store.rows(
        "UPDATE devices_token SET revoked_at = created_at WHERE prefix = %s", revoked[5:15]
    )
    wrong_secret, unknown = good[:16] + "A" * 43, draw(DeviceRow())[1]
    on_page = issue_on_a_page(ear, "good")
    tokens = [good, revoked, wrong_secret, unknown, on_page, *operate_on_the_page(ear, "good")]
    for token in tokens:
        await show(ear, token)
        await misplace(ear, token)
        break_a_page(ear, token)
    assert hub.store.readings() > 0
    look_everywhere(ear, "good")
    ear.ask("/metrics", Authorization=f"Bearer {METRICS_TOKEN}", Via="1.1 proxy")
    hub.terminate()

    dumped = dump(hub.store, lambda: request.getfixturevalue("postgres_programs"))
    assert good[5:15] in dumped
    places = {"log": hub.log, "database": dumped, "answers": "\n".join(ear.heard)}
    for where, text in places.items():
        for token in tokens:
            assert token not in text, where
            assert token[16:] not in text, where
        assert METRICS_TOKEN not in text, where
        assert SECRET_KEY not in text, where
