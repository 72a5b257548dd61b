"""Several series on one time axis: chosen, drawn, kept in the address, and live."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, send, send_at
from tests.hubs import Hub, wait_until

expect.set_options(timeout=TIMEOUT_MS)

BOTH = "series=roof/temperature&series=cellar/temperature"


@pytest.fixture
def tokens(hub: Hub) -> dict[str, str]:
    """Roof and cellar, each with a temperature, a humidity and a door."""
    tokens = {uid: hub.store.add_device(uid) for uid in ("roof", "cellar")}
    for token in tokens.values():
        send(hub, token, temperature=21.5, humidity=40, door=True)
    for metric, unit in (("temperature", "°C"), ("humidity", "%")):
        hub.store.rows("UPDATE devices_series SET unit = %s WHERE metric = %s", unit, metric)
    return tokens


def entry(page: Page, key: str) -> Locator:
    uid, _, metric = key.partition("/")
    return page.locator(f'.entry[data-uid="{uid}"][data-metric="{metric}"]')


def points(page: Page, key: str) -> int:
    """How many buckets of a series its chart holds."""
    script = """key => [...document.querySelectorAll(".plot")]
        .flatMap(plot => plot.chart?.lines ?? [])
        .find(({ charted }) => charted.key === key)?.charted.columns?.start.length ?? 0"""
    return int(page.evaluate(script, key))


def wait_for_points(page: Page, key: str, more_than: int = 0) -> None:
    wait_until(lambda: points(page, key) > more_than, f"more of {key} than {more_than}")


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def test_series_of_two_devices_share_a_chart_and_follow_live(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&from=now-5m&to=now")
    expect(page.locator(".chart")).to_have_count(1)
    for key in ("roof/temperature", "cellar/temperature"):
        wait_for_points(page, key)
    expect(page.locator(".plot canvas")).to_be_visible()
    known = points(page, "roof/temperature")
    send(hub, tokens["roof"], temperature=30.25)
    send(hub, tokens["cellar"], temperature=10.75)
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("30.25 °C")
    expect(entry(page, "cellar/temperature").locator(".value")).to_have_text("10.75 °C")
    wait_for_points(page, "roof/temperature", known)
    words = page.locator(".plot")
    expect(words).to_have_attribute("aria-label", re.compile(r"roof/temperature: from .*30\.25 °C"))


def test_series_are_found_and_added_by_the_keyboard(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, "/compare/")
    expect(page.get_by_role("heading", name="Nothing chosen yet")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("roof temp")
    found = page.get_by_role("list", name="Series that fit").get_by_role("button")
    expect(found).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(found).to_be_focused()
    page.keyboard.press("Enter")
    expect_live(page)
    expect(entry(page, "roof/temperature")).to_be_visible()
    page.get_by_label("Add a series").fill("cellar humi")
    expect(found).to_have_count(1)
    found.click()
    expect(entry(page, "cellar/humidity")).to_be_visible()
    assert asked(page)["series"] == ["roof/temperature", "cellar/humidity"]


def test_a_link_opens_the_same(page: Page, hub: Hub, tokens: dict[str, str]) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&from=now-5m&to=now")
    page.get_by_role("button", name="6 h").click()
    entry(page, "cellar/temperature").get_by_role("button", name="temperature").first.click()
    expect(entry(page, "roof/temperature")).to_have_class(re.compile("hushed"))
    link = page.url
    other = page.context.new_page()
    other.goto(link)
    expect_live(other)
    expect(other.locator('[data-from="now-6h"]')).to_have_attribute("aria-pressed", "true")
    expect(entry(other, "roof/temperature")).to_have_class(re.compile("hushed"))
    expect(entry(other, "cellar/temperature")).not_to_have_class(re.compile("hushed"))
    wait_for_points(other, "cellar/temperature")


def test_a_series_that_is_taken_away_leaves_the_colours_of_the_others(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&series=roof/humidity&from=now-15m&to=now")
    tone = entry(page, "cellar/temperature").get_attribute("data-tone")
    page.get_by_role("button", name="Take roof/temperature away").click()
    expect(entry(page, "roof/temperature")).to_have_count(0)
    expect(entry(page, "cellar/temperature")).to_have_attribute("data-tone", tone or "")
    assert asked(page)["series"] == ["", "cellar/temperature", "roof/humidity"]
    assert asked(page)["from"] == ["now-15m"]


def test_two_units_have_an_axis_each_and_a_boolean_a_chart_below(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&series=roof/humidity&series=roof/door&from=now-5m")
    expect(page.locator(".chart")).to_have_count(2)
    expect(page.locator(".chart").first.locator(".u-axis")).to_have_count(3)
    expect(page.locator(".chart").last.locator(".u-axis")).to_have_count(2)
    expect(entry(page, "roof/humidity").locator(".value")).to_have_text("40 %")
    expect(entry(page, "roof/door").locator(".value")).to_have_text("true")


def test_dragging_zooms_all_charts_and_a_double_click_follows_again(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&series=roof/door&from=now-5m&to=now")
    for key in ("roof/temperature", "roof/door"):
        wait_for_points(page, key)
    over = page.locator(".u-over").first
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_function("/from=\\d{13}/.test(location.search)")
    assert len(asked(page)["series"]) == 3
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    over.dblclick()
    page.wait_for_function("location.search.includes('from=now-5m')")


def test_the_crosshair_shows_the_values_under_it_in_every_chart(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    middle_ms = int(time.time() * 1000) - 150_000
    send_at(hub, tokens["roof"], {middle_ms: {"temperature": 7.5, "door": False}})
    open_page(page, hub, "/compare/?series=roof/temperature&series=roof/door&from=now-5m&to=now")
    for key in ("roof/temperature", "roof/door"):
        wait_for_points(page, key, 1)
        expect(entry(page, key).locator(".value")).to_have_text(re.compile("21.50|true"))
    over = page.locator(".u-over").first
    box = over.bounding_box()
    assert box
    over.hover(position={"x": box["width"] / 2, "y": 40})
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("7.500 °C")
    expect(entry(page, "roof/door").locator(".value")).to_have_text("false")
    page.mouse.move(0, 0)
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("21.50 °C")


def test_pause_holds_it_still_and_counts_what_comes(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&from=now-5m&to=now")
    wait_for_points(page, "roof/temperature")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    send(hub, tokens["roof"], temperature=30.25)
    expect(page.locator("#pause")).to_have_text("1 new reading, resume")
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("21.50 °C")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_text("Pause")
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("30.25 °C")


def test_what_is_unknown_is_said_and_the_others_are_drawn(
    page: Page, hub: Hub, tokens: dict[str, str]
) -> None:
    open_page(page, hub, "/compare/?series=roof/temperature&series=attic/wind&from=now-5m&to=now")
    expect(page.get_by_role("status")).to_contain_text("there is no device attic")
    wait_for_points(page, "roof/temperature")


def test_what_is_shown_can_be_exported(page: Page, hub: Hub, tokens: dict[str, str]) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&from=now-5m&to=now")
    page.get_by_role("button", name="24 h").click()
    link = page.get_by_role("link", name="CSV")
    expect(link).to_have_attribute(
        "href",
        "/api/v1/export.csv?series=roof%2Ftemperature&series=cellar%2Ftemperature"
        "&from=now-24h&to=now",
    )


def test_a_stopped_hub_turns_the_values_grey(page: Page, hub: Hub, tokens: dict[str, str]) -> None:
    open_page(page, hub, f"/compare/?{BOTH}&from=now-5m&to=now")
    wait_for_points(page, "roof/temperature")
    hub.terminate()
    expect(page.locator("#banner")).to_contain_text("Stale since")
    hub.start()
    expect_live(page)
    send(hub, tokens["roof"], temperature=30.25)
    expect(entry(page, "roof/temperature").locator(".value")).to_have_text("30.25 °C")


def test_it_fits_a_phone(page: Page, hub: Hub, tokens: dict[str, str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    hub.store.rows("UPDATE devices_device SET name = %s WHERE uid = 'roof'", "A long name " * 12)
    send(hub, tokens["roof"], **{"a" * 100: 1})
    key = f"roof/{'a' * 100}"
    open_page(page, hub, f"/compare/?{BOTH}&series={key}&series={'x' * 200}/y&from=now-5m")
    wait_for_points(page, key)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_label("Add a series").focus()
    expect(page.get_by_role("list", name="Series that fit")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
