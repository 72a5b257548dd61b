"""The API's own page, in a real browser, on a hub with no other network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import open_page, send
from tests.hubs import Hub

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(autouse=True)
def nothing_said(page: Page) -> Iterator[None]:
    """The test fails if the browser has something to say, of a policy or else."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    yield
    assert said == []


@pytest.fixture
def asked(page: Page) -> list[str]:
    """Every address that the page asks for, whoever answers."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


@pytest.fixture
def documented(page: Page, hub: Hub, asked: list[str]) -> Page:
    """The page, with all of its operations shown."""
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    open_page(page, hub)
    answer = page.goto(f"http://127.0.0.1:{hub.port}/api/v1/docs")
    assert answer is not None
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.locator(".opblock").first).to_be_visible()
    return page


def test_it_shows_every_resource_and_asks_nobody_else(
    documented: Page, hub: Hub, asked: list[str]
) -> None:
    for title in ("Devices", "Readings", "Counts"):
        expect(documented.locator(".opblock-tag", has_text=title)).to_be_visible()
    for summary in documented.locator(".opblock-summary-control").all():
        summary.click()
    documented.wait_for_load_state("networkidle")
    assert len(asked) > 5
    assert [each for each in asked if not each.startswith(f"http://127.0.0.1:{hub.port}/")] == []


def test_an_operation_is_tried_as_who_is_logged_in(documented: Page) -> None:
    operation = documented.locator("#operations-Devices-devices")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response .response-col_status")).to_have_text(
        "200"
    )
    expect(operation.locator(".live-responses-table")).to_contain_text('"uid": "roof"')


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_is_in_the_theme_of_the_other_pages(documented: Page, scheme: str) -> None:
    documented.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    expect(documented.locator("html.dark-mode")).to_have_count(int(scheme == "dark"))
    assert documented.evaluate("document.documentElement.scrollWidth <= innerWidth")
