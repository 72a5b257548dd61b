"""A browser as a test plays it over plain HTTP: it keeps cookies and fills in forms."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.devices import PATIENCE_S
from tests.hubs import Answer, Hub, Store, manage

PASSWORD = "a long one for ada"
FORM = "application/x-www-form-urlencoded"


def add_operator(store: Store, name: str = "ada") -> None:
    """Somebody who may log in, and do everything."""
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    try:
        names = ("--username", name, "--email", f"{name}@example.com")
        manage(store.url, "createsuperuser", "--noinput", *names)
    finally:
        del os.environ["DJANGO_SUPERUSER_PASSWORD"]


class Dashboard:
    """A browser's end of `/ws/live/`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def see(self) -> dict[str, Any]:
        """Hear one message, and say that it is drawn."""
        async with asyncio.timeout(PATIENCE_S):
            heard: dict[str, Any] = json.loads(await self.connection.recv())
        await self.connection.send(json.dumps({"type": "seen", "at": heard.get("at")}))
        return heard

    async def hear_last_word(self) -> tuple[dict[str, Any], int]:
        """The last message before the hub closes, the others left out, and its close code."""
        last: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    last = json.loads(await self.connection.recv())
            except ConnectionClosed:
                return last, self.connection.close_code or 0


class Browser:
    """Its cookies are sent to every hub, as to hubs behind one address."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, hub: Hub, path: str, *, method: str | None = None, **headers: str) -> Answer:
        return self._note(hub.ask(path, method=method, headers={"Cookie": self.cookie} | headers))

    def send(self, hub: Hub, path: str, **fields: str) -> Answer:
        """A form, with the token against forgery that its page came with."""
        fields["csrfmiddlewaretoken"] = self.cookies.get("csrftoken", "")
        headers = {"Cookie": self.cookie, "Content-Type": FORM}
        return self._note(hub.ask(path, urlencode(fields), headers=headers))

    def log_in(self, hub: Hub, name: str = "ada", password: str = PASSWORD) -> Answer:
        self.ask(hub, "/accounts/login/")
        return self.send(hub, "/accounts/login/", username=name, password=password)

    def _note(self, answer: Answer) -> Answer:
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    @asynccontextmanager
    async def look(self, hub: Hub, origin: str | None = None) -> AsyncIterator[Dashboard]:
        """What is live, on a page of `origin`, or of the hub's own."""
        async with connect(
            f"ws://127.0.0.1:{hub.port}/ws/live/",
            additional_headers={"Cookie": self.cookie},
            origin=origin or f"http://127.0.0.1:{hub.port}",  # type: ignore[arg-type]
            open_timeout=PATIENCE_S,
            proxy=None,
            max_size=None,
        ) as connection:
            with suppress(ConnectionClosed):  # who may not look is told at once
                await connection.send('{"type":"subscribe"}')
            yield Dashboard(connection)
