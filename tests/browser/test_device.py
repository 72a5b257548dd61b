"""A device's page on a real hub: charts that follow, are zoomed, paused and moved through time."""

from __future__ import annotations

import re
import threading
import time
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import beside, expect_live, open_page, send, send_at
from tests.hubs import Hub, wait_until

expect.set_options(timeout=TIMEOUT_MS)

MINUTE_MS = 60_000


def now_ms() -> int:
    return int(time.time() * 1000)


def chart(page: Page, metric: str = "temperature") -> Locator:
    return page.locator(f'.chart[data-metric="{metric}"]')


def columns(page: Page, metric: str = "temperature") -> dict[str, Any]:
    """What a chart holds; no columns yet, none."""
    script = """each => each.querySelector(".plot").chart?.lines[0].charted.columns ?? {}"""
    found: dict[str, Any] = chart(page, metric).evaluate(script)
    return found


def readings_in(page: Page, metric: str = "temperature") -> int:
    return sum(columns(page, metric).get("count", []))


def expect_readings(page: Page, number: int, metric: str = "temperature") -> None:
    wait_until(lambda: readings_in(page, metric) == number, f"{number} readings of {metric}")


def test_a_chart_shows_what_is_stored_and_grows(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    for number in range(1, 4):
        send(hub, token, temperature=number)
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect(chart(page).locator("canvas")).to_be_visible()
    expect_readings(page, 3)
    for number in range(4, 7):
        send(hub, token, temperature=number)
    expect_readings(page, 6)
    said = re.compile(r"^temperature: from 1 to 6, last 6$")
    expect(chart(page).get_by_role("img")).to_have_attribute("aria-label", said)


def test_a_chart_has_each_reading_once_when_the_hub_was_away(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=0)
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect_readings(page, 1)
    with insisting(hub, token):
        wait_until(lambda: readings_in(page) > 5, "some readings")
        hub.kill()
        expect(page.locator("html")).to_have_attribute("data-line", "waiting")
        before = readings_in(page)
        hub.start()
        expect_live(page)
        wait_until(lambda: readings_in(page) > before + 10, "more of them")
    expect_readings(page, hub.store.readings())
    shown = columns(page)
    assert shown["start"] == sorted(set(shown["start"]))
    assert sum(map(lambda mean, n: mean * n, shown["mean"], shown["count"])) == pytest.approx(
        sum(hub.store.values_of("roof"))
    )


def insisting(hub: Hub, token: str) -> AbstractContextManager[None]:
    """A device that sends each reading until the hub has said that it is stored."""

    def run(stopped: threading.Event) -> None:
        for number in count(1):
            at_ms = now_ms()
            while not stopped.is_set():
                with suppress(OSError, AssertionError):
                    send_at(hub, token, {at_ms: {"temperature": number}})
                    break
                stopped.wait(0.1)
            if stopped.wait(0.15):
                return

    return beside(run)


def test_what_comes_late_is_drawn_where_it_belongs(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send_at(
        hub, token, {now_ms() - 4 * MINUTE_MS: {"temperature": 1}, now_ms(): {"temperature": 3}}
    )
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect_readings(page, 2)
    send_at(hub, token, {now_ms() - 2 * MINUTE_MS: {"temperature": 2}})
    send(hub, token, temperature=4)
    expect_readings(page, 4)
    assert columns(page)["mean"] == [1, 2, 3, 4]


def test_a_gap_is_a_gap(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    end_ms = now_ms()
    times = [end_ms - second * 1000 for second in (*range(100, 90, -1), *range(10, 0, -1))]
    send_at(hub, token, {at_ms: {"temperature": 20} for at_ms in times})
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect(chart(page).locator("canvas")).to_be_visible()
    drawn = chart(page).evaluate("each => each.querySelector('.plot').chart.uplot.data[1]")
    assert drawn.count(None) == 1


def test_a_metric_that_is_new_gets_a_chart(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    open_page(page, hub, "/devices/roof/")
    expect(page.get_by_text("Waiting for the first reading")).to_be_visible()
    send(hub, token, humidity=40, state="<b>ok</b>")
    expect(chart(page, "humidity").locator("canvas")).to_be_visible()
    expect(page.locator('#latest [data-metric="humidity"]')).to_contain_text("40")
    expect(page.locator('#latest [data-metric="state"]')).to_contain_text("<b>ok</b>")
    expect(page.get_by_text("Waiting for the first reading")).to_be_hidden()
    expect(page.locator(".chart")).to_have_count(1)


def test_units_are_shown_and_what_is_out_of_its_band_is_said(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=31.5)
    hub.store.rows("UPDATE devices_series SET unit = '°C', low = 10, high = 30")
    open_page(page, hub, "/devices/roof/")
    expect(chart(page).locator(".reading")).to_have_text("above 30 °C31.50 °C")
    label = "temperature: from 31.50 °C to 31.50 °C, last 31.50 °C, above 30 °C"
    expect(chart(page).get_by_role("img")).to_have_attribute("aria-label", label)
    latest = page.locator('#latest [data-metric="temperature"]')
    expect(latest).to_contain_text("31.50 °Cabove 30 °C")
    send(hub, token, temperature=20)
    expect(latest).not_to_contain_text("above")


def test_booleans_are_steps_between_false_and_true(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    end_ms = now_ms()
    send_at(hub, token, {end_ms - 1000 * n: {"door": n % 2 == 0} for n in range(20)})
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    label = "door: from false to true, last true"
    expect(chart(page, "door").get_by_role("img")).to_have_attribute("aria-label", label)


def test_a_range_is_chosen_and_back_leads_to_the_one_before(page: Page, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    open_page(page, hub, "/devices/roof/")
    expect(page.get_by_role("button", name="15 m")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="24 h").click()
    expect(page).to_have_url(re.compile(r"\?from=now-24h&to=now$"))
    wait_until(lambda: columns(page).get("stepMs", 0) > MINUTE_MS, "a wider step")
    page.reload()
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="15 m")).to_have_attribute("aria-pressed", "true")
    wait_until(lambda: 0 < columns(page).get("stepMs", 0) < MINUTE_MS, "the step of before")


def test_a_mean_is_called_by_its_step(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    start_ms = (now_ms() // MINUTE_MS - 5) * MINUTE_MS
    send_at(hub, token, {start_ms + n: {"temperature": n} for n in range(5)})
    open_page(page, hub, "/devices/roof/?from=now-24h&to=now")
    expect(chart(page).locator(".step")).to_have_text(re.compile(r"^\d+ min mean$"))


def dragged(page: Page, locator: Locator) -> None:
    box = locator.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    page.mouse.up()


ABSOLUTE = re.compile(r"\?from=\d{13}&to=\d{13}$")


def test_a_drag_zooms_and_a_double_click_follows_again(page: Page, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5, humidity=40)
    open_page(page, hub, "/devices/roof/?from=now-1h&to=now")
    over = chart(page).locator(".u-over")
    dragged(page, over)
    expect(page).to_have_url(ABSOLUTE)
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    over.dblclick()
    expect(page).to_have_url(re.compile(r"\?from=now-1h&to=now$"))
    expect(page.get_by_role("button", name="Back to live")).to_be_hidden()


def test_keys_zoom_and_move_a_chart_that_has_the_focus(page: Page, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    open_page(page, hub, "/devices/roof/?from=now-15m&to=now")
    plot = chart(page).get_by_role("img")
    plot.focus()
    lengths = []
    for key in ("+", "ArrowLeft", "-"):
        before = page.url
        plot.press(key)
        expect(page).not_to_have_url(before)
        start, end = map(int, re.findall(r"\d{13}", page.url))
        lengths.append((end - start) / MINUTE_MS)
    assert lengths == pytest.approx([7.5, 7.5, 15], abs=0.01)
    page.get_by_role("button", name="Back to live").click()
    expect(page).to_have_url(re.compile(r"\?from=now-15m&to=now$"))


def test_the_crosshair_is_shared_and_says_what_is_under_it(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    end_ms = now_ms()
    values = {end_ms - 1000 * n: {"temperature": n, "humidity": 40} for n in range(300)}
    send_at(hub, token, values)
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    chart(page).locator(".u-over").hover()
    for metric in ("temperature", "humidity"):
        said = chart(page, metric).locator(".at")
        expect(said).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    shown = float(chart(page).locator(".value").inner_text())
    assert 100 < shown < 200


def test_a_pause_holds_the_page_still_and_counts_what_comes(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=1)
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect_readings(page, 1)
    page.keyboard.press("p")
    button = page.locator("#pause")
    expect(button).to_have_text("Paused, resume")
    for number in (2, 3, 4):
        send(hub, token, temperature=number)
    expect(button).to_have_text("3 new readings, resume")
    expect(page.locator('#latest [data-metric="temperature"] .value')).to_have_text("1")
    assert readings_in(page) == 1
    button.click()
    expect(button).to_have_text("Pause")
    expect(page.locator('#latest [data-metric="temperature"] .value')).to_have_text("4")
    expect_readings(page, 4)


def test_an_empty_range_leads_to_the_last_reading(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send_at(hub, token, {now_ms() - 180 * MINUTE_MS: {"temperature": 21.5}})
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect(page.get_by_text("No readings in this range.")).to_be_visible()
    page.get_by_role("button", name="Last reading 3 h ago, go there").click()
    expect(page).to_have_url(ABSOLUTE)
    expect_readings(page, 1)
    expect(page.get_by_text("No readings in this range.")).to_be_hidden()


def test_history_that_does_not_come_can_be_asked_for_again(page: Page, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    page.route("**/api/v1/history?*", lambda route: route.fulfill(status=500, body="{}"))
    open_page(page, hub, "/devices/roof/?from=now-5m&to=now")
    expect(chart(page)).to_contain_text("History did not come. The hub answered 500.")
    page.unroute("**/api/v1/history?*")
    page.get_by_role("button", name="Try again").click()
    expect_readings(page, 1)


def test_a_range_of_ones_own_is_in_the_zone_that_is_shown(browser: Browser, hub: Hub) -> None:
    send(hub, hub.store.add_device("roof"), temperature=21.5)
    context = browser.new_context(timezone_id="Europe/Berlin")
    page = context.new_page()
    open_page(page, hub, "/devices/roof/")
    page.get_by_role("button", name="Custom").click()
    expect(page.get_by_text("Times are in Europe/Berlin.")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2026-01-01T01:00:00")
    page.get_by_label("To", exact=True).fill("2026-01-01T00:30:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The end must be after the beginning.")
    page.get_by_label("To", exact=True).fill("2026-01-02T01:00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    day_ms = 86_400_000
    midnight_ms = 1_767_225_600_000
    expect(page).to_have_url(re.compile(f"from={midnight_ms}&to={midnight_ms + day_ms}"))
    with page.expect_request(re.compile(r"/api/v1/history.*zone=UTC")):
        page.get_by_role("button", name="Europe/Berlin").click()
    expect(page.get_by_role("button", name="UTC")).to_be_visible()
    context.close()


def test_refused_readings_appear_by_their_reason(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5)
    open_page(page, hub, "/devices/roof/")
    expect(page.get_by_text("Every reading this device sent was taken")).to_be_visible()
    send(hub, token, temperature="warm")
    reason = page.locator("details", has_text="kind_mismatch")
    expect(reason).to_contain_text("1 reading")
    reason.locator("summary").click()
    expect(reason).to_contain_text("warm")
    send(hub, token, temperature="hot")
    expect(reason).to_contain_text("2 readings")
    expect(reason.get_by_text("hot")).to_be_visible()


def test_of_a_thousand_metrics_only_those_in_sight_are_asked_for(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, **{f"metric{number:04}": number for number in range(1000)})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, hub, "/devices/roof/")
    expect(page.locator("#shown")).to_have_text("24 of 1,000 charts")
    expect(chart(page, "metric0000").locator("canvas")).to_be_visible()
    assert 0 < len(re.findall("series=roof", "".join(asked))) < 24
    page.get_by_label("Filter metrics").fill("0999")
    expect(chart(page, "metric0999").locator("canvas")).to_be_visible()
    expect(page.locator(".chart:visible")).to_have_count(1)
    expect(page.locator("#latest tbody tr:visible")).to_have_text(re.compile("metric0999999"))
    send(hub, token, metric0999=5)
    expect(page.locator("#latest tbody tr:visible .value")).to_have_text("5")
