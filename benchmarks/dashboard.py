"""One dashboard, open for as long as it is not killed: logged in, and answering `seen`.

    python -m benchmarks.dashboard PORT USER PASSWORD       against the hub
    python -m benchmarks.dashboard PORT                     against the usual project: no login

Prints `open` once the first message has come (the usual project's says nothing: at once), and the
count of messages at its end.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import sys
from contextlib import closing
from typing import Final
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

AT: Final = re.compile(r'"at":\s*(\d+)')


def log_in(port: int, user: str, password: str) -> str:
    """The Cookie header of a session."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        return _logged_in(connection, port, user, password)


def _logged_in(connection: http.client.HTTPConnection, port: int, user: str, password: str) -> str:
    connection.request("GET", "/accounts/login/")
    page = connection.getresponse()
    text = page.read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
    assert token, "the login page has a form"
    form = {"csrfmiddlewaretoken": token[1], "username": user, "password": password}
    connection.request(
        "POST",
        "/accounts/login/",
        urlencode(form),
        {
            "Cookie": cookie,
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"http://127.0.0.1:{port}/accounts/login/",
        },
    )
    answer = connection.getresponse()
    answer.read()
    session = re.search(r"sessionid=[^;]+", ", ".join(answer.headers.get_all("Set-Cookie") or []))
    assert session, "the login was taken"
    return session[0]


async def look(port: int, cookie: str) -> int:
    """Take every message and say it was seen, until SIGTERM; how many came."""
    headers = {"Cookie": cookie} if cookie else {}
    messages = 0
    async with connect(
        f"ws://127.0.0.1:{port}/ws/live/",
        origin=f"http://127.0.0.1:{port}",  # type: ignore[arg-type]
        additional_headers=headers,
        compression=None,
        max_size=None,
        proxy=None,
    ) as socket:
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: asyncio.ensure_future(socket.close())
        )
        if cookie:
            await socket.send('{"type":"subscribe"}')
        else:
            print("open", flush=True)
        try:
            async for message in socket:
                messages += 1
                if cookie:
                    if messages == 1:
                        print("open", flush=True)
                    at = AT.search(str(message[:200]))
                    assert at, message[:200]
                    await socket.send(f'{{"type":"seen","at":{at[1]}}}')
        except ConnectionClosed:
            pass
    return messages


def main(port: str, user: str = "", password: str = "") -> None:
    cookie = log_in(int(port), user, password) if user else ""
    print(asyncio.run(look(int(port), cookie)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
