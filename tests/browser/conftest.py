"""A real browser for the tests: Debian's chromium, driven by Playwright.

These tests run in a pytest run of their own, without asyncio's plugin (`-p no:asyncio`):
Playwright's synchronous interface keeps an event loop running in the thread of the tests. For the
same reason they touch no ORM; the hub that they look at is a process of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import FLAGS, chromium
from tests.browser.pages import PASSWORD
from tests.hubs import Hub, Store, manage

TIMEOUT_MS = 60_000
"""For what a page shows in a moment, on a machine that is busy with other tests."""

SCREENSHOTS = Path(__file__).with_name("screenshots")


@pytest.fixture(scope="session")
def browser(leave_out: Callable[[str, str], NoReturn]) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        leave_out("the browser", "no chromium found on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with cookies of its own; the test fails if a script on it does.

    WEIR_TEST_SCREENSHOTS=1 leaves a picture of each test's last sight in `screenshots/`.
    """
    failures: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    if os.environ.get("WEIR_TEST_SCREENSHOTS"):
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
    context.close()
    assert not failures, failures


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A database with Ada's login and nothing else, for each test to have a copy of."""
    store = Store.migrated(f"sqlite:///{tmp_path_factory.mktemp('empty') / 'weir.sqlite3'}")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        ada = ("--username", "ada", "--email", "ada@example.com")
        manage(store.url, "createsuperuser", "--noinput", *ada)
    return store


@pytest.fixture
def hub(tmp_path: Path, empty_store: Store) -> Iterator[Hub]:
    options = {"WEIR_RELAY_INTERVAL_S": 0.2}
    with Hub(empty_store.copy(tmp_path), tmp_path, options=options) as hub:
        yield hub
