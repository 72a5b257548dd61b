"""What somebody sees who leaves the pages open, on a real hub: live, growing, stale, back again."""

from __future__ import annotations

import re
import signal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboards.live.present import Value
from dashboards.pages.wording import ago_text, value_text
from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, row, send
from tests.hubs import Hub, wait_until

NASTY = '<img src=x onerror="document.title=1">'

expect.set_options(timeout=TIMEOUT_MS)


def ink_of(value: Locator) -> str:
    """Its colour, once it is there to stay: of a row that was just replaced there is none."""
    inks: list[str] = []

    def has_ink() -> bool:
        inks.append(value.evaluate("each => getComputedStyle(each).color"))
        return bool(inks[-1])

    wait_until(has_ink, "the value to have a colour")
    return inks[-1]


def test_a_stopped_hub_shows_as_stale_and_recovers(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5)
    open_page(page, hub)
    value = row(page, "roof").locator(".slot .value")
    expect(value).to_have_text("21.50")
    ink = ink_of(value)
    hub.terminate()
    banner = page.locator("#banner")
    expect(banner).to_contain_text(re.compile(r"Stale since \d\d:\d\d:\d\d\."))
    expect(banner).to_contain_text("Reconnecting")
    expect(value).not_to_have_css("color", ink)
    hub.start()
    expect_live(page)
    expect(banner).to_be_hidden()
    expect(value).to_have_text("21.50")
    expect(value).to_have_css("color", ink)
    send(hub, token, temperature=30.25)
    expect(value).to_have_text("30.25")


def test_a_hub_that_hangs_shows_as_stale_too(page: Page, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    open_page(page, hub)
    hub.send(signal.SIGSTOP)
    try:
        expect(page.locator("#banner")).to_contain_text("Stale since")
    finally:
        hub.send(signal.SIGCONT)
    expect_live(page)


def test_a_login_that_ended_is_said(page: Page, hub: Hub) -> None:
    open_page(page, hub)
    page.context.clear_cookies()
    hub.terminate()
    hub.start()
    expect(page.locator("#banner")).to_contain_text("You are logged out")
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Password")).to_be_visible()


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_tab_stops_and_is_up_to_date_when_looked_at(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5)
    open_page(page, hub)
    page.evaluate(HIDE, True)
    wait_until(lambda: hub.figures()["weir_dashboards"] == 0, "the tab left")
    send(hub, token, temperature=30.25)
    expect(row(page, "roof")).to_contain_text("21.50")
    page.evaluate(HIDE, False)
    expect(row(page, "roof")).to_contain_text("30.25")
    expect_live(page)


def test_what_a_device_says_is_text_and_never_markup(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    hub.store.rows("UPDATE devices_device SET name = %s", NASTY)
    send(hub, token, state=NASTY)
    for path in ("/", "/devices/roof/"):
        if path == "/":
            open_page(page, hub)
        else:
            page.goto(f"http://127.0.0.1:{hub.port}{path}")
            expect_live(page)
        send(hub, token, state=NASTY, other=NASTY)
        expect(page.get_by_text(NASTY, exact=True).first).to_be_visible()
        assert page.locator("img").count() == 0
        assert page.title() != "1"


@pytest.mark.parametrize("path", ["/", "/devices/roof/"])
def test_nothing_runs_off_a_phone(page: Page, hub: Hub, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5, **{"a" * 100: 1, "state": "long " * 100})
    open_page(page, hub, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_browser_words_values_as_the_first_paint_does(page: Page, hub: Hub) -> None:
    page.goto(f"http://127.0.0.1:{hub.port}/accounts/login/")
    values: list[Value] = [
        21.5,
        21,
        -0.03,
        1.23456,
        1013.26,
        0,
        1e-5,
        1.5e12,
        1.5e300,
        True,
        False,
        "ok",
    ]
    ages = [-5000, 1999, 2000, 59_999, 60_000, 3_600_000, 200_000_000]
    script = """async ([values, ages]) => {
        const wording = await import("/static/dashboards/wording.js");
        return [values.map(wording.valueText), ages.map(wording.agoText)];
    }"""
    texts, ago = page.evaluate(script, [values, ages])
    assert texts == [value_text(value) for value in values]
    assert ago == [ago_text(age) for age in ages]


def test_pages_are_calm_in_the_dark(browser: Browser, hub: Hub) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    open_page(page, hub)
    expect(page.locator("body")).to_have_css("background-color", "rgb(14, 20, 22)")
    context.close()
