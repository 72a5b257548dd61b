"""README does what it says: its snippets run against a real hub, its commands and links are there.

So do the links, and the names of modules and tests, of the pages beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.async_api import async_playwright

from tests import ROOT
from tests.browser.chromium import FLAGS, chromium
from tests.hubs import DEADLINE_S, Hub, Store

README = (ROOT / "README.md").read_text()
PAGES = ["README.md", "CHANGELOG.md", "docs/architecture.md", "docs/configuration.md"]
PICTURE_MAX_BYTES = 200_000
MOVING_PICTURE_MAX_BYTES = 600_000


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def first_reading() -> str:
    """The lines for a shell, which follow each other."""
    return "".join(each for each in snippets("sh") if not each.startswith("make "))


def here(snippet: str, hub: Hub) -> str:
    """As a reader would have it, on this hub and with this Python."""
    text = snippet.replace("127.0.0.1:8000", f"127.0.0.1:{hub.port}")
    return text.replace(".venv/bin/python", sys.executable)


def run(hub: Hub, *command: str, **environment: str) -> str:
    """What a program prints that knows of this hub's database."""
    ended = subprocess.run(
        command,
        env=hub.environment | {"NO_PROXY": "127.0.0.1"} | environment,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def messages(text: str) -> list[Any]:
    """The JSON values that stand in `text` one after the other."""
    found = []
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        message, end = decoder.raw_decode(text)
        found.append(message)
        text = text[end:]
    return found


@pytest.fixture
def hub(sqlite_store: Store, folder: Path) -> Iterator[Hub]:
    with Hub(sqlite_store, folder) as hub:
        yield hub


def stored(store: Store) -> dict[str, list[float]]:
    """What the database has, by metric, in the order of time."""
    found: dict[str, list[float]] = {}
    for metric, value in store.rows(
        "SELECT s.metric, r.value FROM ingest_reading r JOIN devices_series s"
        " ON s.id = r.series_id ORDER BY r.time"
    ):
        found.setdefault(metric, []).append(value)
    return found


def test_the_shell_gets_the_answers_that_are_shown(hub: Hub, sqlite_store: Store) -> None:
    printed = run(hub, "bash", "-euc", here(first_reading(), hub))
    assert messages(printed) == [json.loads(each) for each in snippets("json")]
    assert stored(sqlite_store) == {"temperature": [21.5], "humidity": [40]}


def test_the_python_program_stores_its_readings(
    hub: Hub, sqlite_store: Store, folder: Path
) -> None:
    program = folder / "first.py"
    program.write_text(here(snippets("python")[0], hub))
    printed = run(hub, sys.executable, str(program), TOKEN=sqlite_store.add_device("porch"))
    ack = {"type": "ack", "seq": 1, "stored": 2, "duplicate": 0, "rejected": 0}
    assert messages(printed) == [ack]
    assert stored(sqlite_store) == {"temperature": [21.7], "door": [1]}


async def test_the_browser_stores_its_reading(
    hub: Hub, sqlite_store: Store, leave_out: Callable[[str, str], NoReturn]
) -> None:
    program = chromium()
    if program is None:
        leave_out("the browser", "no chromium found on PATH")
    script = here(snippets("js")[0], hub).replace(
        '"TOKEN"', f'"{sqlite_store.add_device("porch")}"'
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{hub.port}/accounts/login/")
        async with page.expect_console_message() as logged:
            await page.evaluate(f"() => {{ {script} }}")
        heard = json.loads((await logged.value).text)
        await browser.close()
    assert heard == {"type": "ack", "seq": 1, "stored": 1, "duplicate": 0, "rejected": 0}
    assert stored(sqlite_store) == {"temperature": [21.9]}


def test_every_make_command_is_in_the_makefile() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"run", "test"} <= set(re.findall(r"\bmake ([a-z]+)", README)) <= set(targets)


def slug(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{page} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_module_and_test_that_is_named_is_there(page: str) -> None:
    named = re.findall(r"`([a-z_]+/[\w./]*)`", (ROOT / page).read_text())
    assert [name for name in named if not (ROOT / name).exists() and name != "var/"] == []


def test_pictures_are_small() -> None:
    sizes = {each.name: each.stat().st_size for each in (ROOT / "docs" / "images").iterdir()}
    assert sizes
    moving = {name for name in sizes if name.endswith(".webp")}
    assert all(sizes[name] < MOVING_PICTURE_MAX_BYTES for name in moving)
    assert all(sizes[name] < PICTURE_MAX_BYTES for name in sizes.keys() - moving)
