"""What an operator sees of a hub process on its system page."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, send, sending
from tests.browser.test_dashboard import HIDE, ink_of
from tests.hubs import Hub, wait_until

expect.set_options(timeout=TIMEOUT_MS)


@contextmanager
def locked(hub: Hub) -> Iterator[None]:
    """Another program holds the database."""
    with closing(sqlite3.connect(hub.store.url.removeprefix("sqlite:///"))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def total(page: Page, name: str) -> Locator:
    return page.locator(f'[data-total="{name}"]').first


def rate(page: Page, name: str) -> Locator:
    return page.locator(f'[data-rate="{name}"]').first


def number(of: Locator) -> int:
    return int(of.inner_text().replace(",", ""))


def test_figures_move_when_readings_come(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5)
    open_page(page, hub, "/system/")
    expect(total(page, "readings_taken")).to_have_text("1")
    with sending(hub, token):
        expect(rate(page, "readings_taken")).to_have_text(re.compile(r"^[2-9]\.\d\d$"))
        for figure in ("mean", "p50", "p99"):
            took = page.locator(f'td[data-took="commit_seconds/{figure}"]')
            expect(took).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    stored = hub.store.readings()
    expect(total(page, "readings/stored")).to_have_text(str(stored))
    assert number(total(page, "readings_taken")) >= stored
    expect(page.get_by_text("All is well")).to_be_visible()


def test_a_refusal_is_counted_by_its_reason(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5)
    open_page(page, hub, "/system/")
    row = page.locator('[data-counter="refused_readings/kind_mismatch"]')
    expect(page.locator("#refused .none")).to_be_visible()
    expect(row).to_be_hidden()
    send(hub, token, temperature="warm")
    expect(row).to_contain_text("the series began with another kind of value")
    expect(row.locator("[data-total]")).to_have_text("1")
    expect(total(page, "readings/rejected")).to_have_text("1")
    expect(page.locator("#refused .none")).to_be_hidden()


def test_what_never_came_up_is_shown_when_asked_for(page: Page, hub: Hub) -> None:
    open_page(page, hub, "/system/")
    row = page.locator('[data-counter="bounds_met/frame_bytes"]')
    expect(row).to_be_hidden()
    button = page.locator("#bounds").get_by_role("button", name="Show what never came up")
    button.press("Enter")
    expect(row).to_contain_text("WEIR_FRAME_MAX_BYTES")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.press("Enter")
    expect(row).to_be_hidden()


def test_wrong_tokens_and_closes_are_counted(page: Page, hub: Hub) -> None:
    open_page(page, hub, "/system/")
    answer = hub.ask("/ingest/", json.dumps({"a": 1}), headers={"Authorization": "Bearer nobody's"})
    assert answer.status == 401
    row = page.locator('[data-counter="tokens/wrong"]')
    expect(row.locator("[data-total]")).to_have_text("1")


def test_a_stopped_hub_turns_grey_and_another_begins_anew(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    for value in range(3):
        send(hub, token, temperature=value)
    open_page(page, hub, "/system/")
    taken = total(page, "readings_taken")
    expect(taken).to_have_text("3")
    ink = ink_of(taken)
    before = page.locator('[data-text="process"]').inner_text()
    hub.terminate()
    expect(page.locator("#banner")).to_contain_text(re.compile(r"Stale since \d\d:\d\d:\d\d\."))
    expect(taken).not_to_have_css("color", ink)
    expect(taken).to_have_text("3")
    hub.start()
    expect_live(page)
    expect(taken).to_have_text("0")
    expect(taken).to_have_css("color", ink)
    expect(page.locator('[data-text="process"]')).not_to_have_text(before)


def test_a_hub_that_hangs_turns_grey_too(page: Page, hub: Hub) -> None:
    open_page(page, hub, "/system/")
    hub.send(signal.SIGSTOP)
    try:
        expect(page.locator("#banner")).to_contain_text("Stale since")
    finally:
        hub.send(signal.SIGCONT)
    expect_live(page)


def test_a_database_that_cannot_be_written_is_an_alarm(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    open_page(page, hub, "/system/")
    status = page.get_by_role("status")
    expect(status).to_contain_text("All is well")
    with ThreadPoolExecutor() as aside, locked(hub):
        aside.submit(send, hub, token, temperature=21.5)
        expect(status.get_by_text("Another program holds the database")).to_be_visible()
        expect(status.get_by_text("All is well")).to_be_hidden()
    expect(status.get_by_text("All is well")).to_be_visible()


def test_a_hidden_tab_asks_nothing(page: Page, hub: Hub) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    token = hub.store.add_device("roof")
    page.clock.install()
    open_page(page, hub, "/system/")
    page.evaluate(HIDE, True)
    asked.clear()
    send(hub, token, temperature=1)
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate(HIDE, False)
    expect(total(page, "readings_taken")).to_have_text("1")


def test_a_login_that_ended_is_said(page: Page, hub: Hub) -> None:
    open_page(page, hub, "/system/")
    page.context.clear_cookies()
    expect(page.locator("#banner")).to_contain_text("You are logged out")
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_it_fits_a_phone_with_large_numbers(page: Page, hub: Hub) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, hub, "/system/")
    page.route(
        "**/system/figures/",
        lambda route: route.fulfill(json=grown(route.fetch().json())),
    )
    wait_until(lambda: number(total(page, "readings_taken")) > 10**11, "large numbers to be shown")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def grown(answer: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    answer["values"] = {name: value + 123_456_789_012 for name, value in answer["values"].items()}
    return answer
