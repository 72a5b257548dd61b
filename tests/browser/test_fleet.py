"""The fleet page, as somebody uses it who leaves it open, on a real hub."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, row, send, sending
from tests.hubs import Hub

expect.set_options(timeout=TIMEOUT_MS)

NAMES = {
    "long": "The weather mast behind the orchard, on the north side of the hill " * 2,
    "arabic": "محطة الطقس في الحديقة",
    "markup": "<b>bold</b> & <img src=x>",
}
LONG_METRIC = "m" * 128


def shown(page: Page) -> list[str]:
    """The uids in the order of their rows, those of hidden rows left out."""
    rows = page.locator("tbody tr:not([hidden])")
    uids: list[str] = rows.evaluate_all("all => all.map(each => each.dataset.uid)")
    return uids


def expect_shown(page: Page, *uids: str) -> None:
    arg = ["tbody tr:not([hidden])", " ".join(uids)]
    page.wait_for_function(
        """([rows, uids]) => Array.from(document.querySelectorAll(rows))
            .map(each => each.dataset.uid).join(" ") === uids""",
        arg=arg,
    )


def warm(hub: Hub, **temperatures: float) -> dict[str, str]:
    """Devices that have sent a temperature each; their tokens."""
    tokens = {uid: hub.store.add_device(uid) for uid in temperatures}
    for uid, temperature in temperatures.items():
        send(hub, tokens[uid], temperature=temperature)
    return tokens


def test_the_fleet_is_live(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5, door=True, state="ok")
    open_page(page, hub)
    roof = row(page, "roof")
    expect(roof.locator(".status-word")).to_have_text("online")
    expect(roof.locator(".slot .value")).to_have_text(["true", "ok", "21.50"])
    expect(page.locator("thead .slot")).to_have_text(["door", "state", "temperature"])
    send(hub, token, temperature=22.75)
    expect(roof).to_contain_text("22.75")
    expect(roof.locator(".ago")).to_have_text(re.compile("now|s ago"))
    expect(page.locator("#online")).to_have_text("1")


def test_readings_per_second_are_those_that_are_sent(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    open_page(page, hub)
    with sending(hub, token):
        expect(row(page, "roof").locator(".rate")).to_have_text(re.compile(r"^[2-9]\.\d\d$"))
        expect(page.locator("#readings-rate")).to_have_text(re.compile(r"^[2-9]\.\d\d$"))


def test_a_series_that_is_gone_costs_the_lines_of_others_nothing(page: Page, hub: Hub) -> None:
    tokens = warm(hub, porch=1, roof=2)
    open_page(page, hub)
    expect(row(page, "porch").locator(".spark canvas")).to_be_visible()
    hub.store.rows("DELETE FROM devices_series WHERE device_id = %s", hub.store.device_id("porch"))
    hub.store.rows("UPDATE ingest_linestate SET catalogue = catalogue + 1")
    page.reload()
    expect(row(page, "roof").locator(".spark canvas")).to_be_visible()
    expect(row(page, "porch").locator(".spark canvas")).to_have_count(0)
    send(hub, tokens["porch"], temperature=3)
    expect(row(page, "porch").locator(".spark canvas")).to_be_visible()


def test_a_row_that_came_with_the_page_shows_its_first_reading(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    open_page(page, hub)
    expect(row(page, "roof")).to_have_count(1)  # from now on the hub knows it
    page.reload()
    expect_live(page)
    send(hub, token, temperature=21.5)
    expect(row(page, "roof").locator(".slot .value")).to_have_text("21.50")


def test_an_empty_hub_leads_to_the_first_reading(page: Page, hub: Hub) -> None:
    open_page(page, hub)
    expect(page.get_by_role("heading", name="No devices yet")).to_be_visible()
    snippet = page.locator("#snippet-send").inner_text()
    token = hub.store.add_device("porch")
    expect(page.get_by_role("heading", name="Waiting for the first reading")).to_be_visible()
    expect(row(page, "porch").locator(".status-word")).to_have_text("never seen")
    subprocess.run(snippet.replace("TOKEN", token), shell=True, check=True, capture_output=True)
    expect(row(page, "porch")).to_contain_text("21.50")
    expect(page.locator("#first")).to_be_hidden()


def test_the_snippet_can_be_copied(page: Page, hub: Hub) -> None:
    open_page(page, hub)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("button[data-copy=snippet-send]").click()
    expect(page.locator("button[data-copy=snippet-send]")).to_have_text("Copied")
    assert f"http://127.0.0.1:{hub.port}/ingest/" in page.evaluate("navigator.clipboard.readText()")


def test_the_filter_and_the_chips_are_kept_in_the_address(page: Page, hub: Hub) -> None:
    for uid in ("attic", "cellar", "roof"):
        token = hub.store.add_device(uid)
    send(hub, token, temperature=21.5)
    open_page(page, hub)
    page.get_by_label("Filter devices").fill("TEMPER")
    expect(page.locator("#shown")).to_have_text("1")
    expect(row(page, "attic")).to_be_hidden()
    page.get_by_label("Filter devices").fill("")
    page.get_by_role("button", name="never seen").click()
    expect(page.locator("#shown")).to_have_text("2")
    page.reload()
    expect(page.locator("#shown")).to_have_text("2")
    expect(row(page, "roof")).to_be_hidden()


def test_rows_are_sorted_when_asked_and_stay_when_values_change(page: Page, hub: Hub) -> None:
    tokens = warm(hub, attic=10, cellar=30, roof=20)
    open_page(page, hub)
    expect_shown(page, "attic", "cellar", "roof")
    page.get_by_role("button", name="temperature", exact=True).click()
    expect_shown(page, "cellar", "roof", "attic")
    head = page.get_by_role("columnheader", name="temperature")
    expect(head).to_have_attribute("aria-sort", "descending")
    send(hub, tokens["attic"], temperature=99)
    expect(row(page, "attic")).to_contain_text("99")
    assert shown(page) == ["cellar", "roof", "attic"]
    page.keyboard.press("s")
    expect_shown(page, "attic", "cellar", "roof")
    page.get_by_role("button", name="temperature", exact=True).press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect_shown(page, "roof", "cellar", "attic")


def test_back_and_forward_go_through_what_was_chosen(page: Page, hub: Hub) -> None:
    warm(hub, attic=10, cellar=30, roof=20)
    open_page(page, hub)
    page.get_by_role("button", name="temperature", exact=True).click()
    page.get_by_label("Filter devices").press_sequentially("ro")
    expect_shown(page, "roof")
    expect(page).to_have_url(re.compile(r"/\?q=ro&sort=-metric:temperature$"))
    page.go_back()
    expect_shown(page, "cellar", "roof", "attic")
    expect(page.get_by_label("Filter devices")).to_have_value("")
    page.go_back()
    expect_shown(page, "attic", "cellar", "roof")
    page.go_forward()
    page.go_forward()
    expect_shown(page, "roof")
    page.reload()
    expect_shown(page, "roof")
    expect(page.locator("#shown")).to_have_text("1")
    page.get_by_label("Filter devices").fill("nobody")
    page.get_by_role("button", name="Show all").click()
    expect_shown(page, "cellar", "roof", "attic")


def test_a_new_device_comes_last_whatever_the_order(page: Page, hub: Hub) -> None:
    warm(hub, cellar=30, roof=20)
    open_page(page, hub)
    warm(hub, attic=10)
    expect_shown(page, "cellar", "roof", "attic")
    expect(row(page, "attic")).to_contain_text("10")


def test_the_metrics_that_have_columns_are_chosen_and_kept_in_the_address(
    page: Page, hub: Hub
) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, a=1, b=2, c=3, humidity=40, temperature=21.5)
    hub.store.rows("UPDATE devices_series SET unit = '°C' WHERE metric = 'temperature'")
    open_page(page, hub)
    expect(page.locator("thead .slot")).to_have_text(["a", "b", "c"])
    page.get_by_text("Metrics", exact=True).click()
    page.get_by_role("checkbox", name="temperature").check()
    page.get_by_role("checkbox", name="humidity").check()
    expect(page).to_have_url(re.compile(r"/\?metrics=humidity,temperature$"))
    expect(page.locator("thead .slot")).to_have_text(["humidity", "temperature"])
    expect(row(page, "roof").locator(".slot .value")).to_have_text(["40", "21.50"])
    page.reload()
    expect(row(page, "roof").locator(".slot")).to_have_text(["humidity40", "temperature21.50°C"])
    page.go_back()
    page.go_back()
    expect(page.locator("thead .slot")).to_have_text(["a", "b", "c"])


def test_a_device_of_another_sort_shows_what_it_has(page: Page, hub: Hub) -> None:
    warm(hub, attic=10, cellar=30)
    send(hub, hub.store.add_device("gate"), door=True, battery=3.7, lock="shut")
    open_page(page, hub, "/?metrics=temperature")
    expect(row(page, "gate").locator(".slot")).to_have_text("temperature–")
    page.goto(f"http://127.0.0.1:{hub.port}/")
    slots = row(page, "gate").locator(".slot")
    expect(slots).to_have_text(["battery3.700", "doortrue", "lockshut"])
    expect(slots.nth(2).locator(".metric")).to_be_visible()
    expect(row(page, "attic").locator(".own .metric").last).to_be_hidden()


def test_a_row_in_sight_has_its_last_minutes_as_a_line(page: Page, hub: Hub) -> None:
    tokens = warm(hub, roof=20)
    send(hub, tokens["roof"], temperature=24)
    open_page(page, hub)
    line = page.get_by_role("img", name=re.compile(r"^temperature: from \d+ to \d+$"))
    expect(line).to_be_visible()
    ink = "each.getContext('2d').getImageData(0, 0, each.width, each.height).data"
    assert line.evaluate(f"each => {ink}.some(Boolean)")


def test_what_is_paused_stands_still_and_counts_what_comes(page: Page, hub: Hub) -> None:
    tokens = warm(hub, roof=20)
    open_page(page, hub)
    value = row(page, "roof").locator(".slot .value")
    expect(value).to_have_text("20")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Paused, resume")).to_be_visible()
    for temperature in (21, 22, 23):
        send(hub, tokens["roof"], temperature=temperature)
    expect(page.get_by_role("button", name="3 new readings, resume")).to_be_visible()
    expect(value).to_have_text("20")
    page.keyboard.press("p")
    expect(value).to_have_text("23")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_keys_move_through_the_rows_and_are_listed(page: Page, hub: Hub) -> None:
    warm(hub, attic=10, cellar=30, roof=20)
    open_page(page, hub)
    page.keyboard.press("/")
    page.keyboard.type("/jk?")  # as text
    expect(page.get_by_label("Filter devices")).to_have_value("/jk?")
    page.get_by_label("Filter devices").fill("")
    page.keyboard.press("Escape")
    for key in "jjjk":
        page.keyboard.press(key)
    expect(row(page, "cellar").get_by_role("link")).to_be_focused()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_contain_text("Pause or resume")
    expect(keys).to_contain_text("Filter devices")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="cellar")).to_be_visible()


def test_keys_can_be_switched_off(page: Page, hub: Hub) -> None:
    warm(hub, roof=20)
    open_page(page, hub)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_role("checkbox", name="Keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter devices")).not_to_be_focused()
    page.reload()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("checkbox", name="Keys are on")).not_to_be_checked()


def test_a_row_far_down_is_made_when_it_comes_into_sight(page: Page, hub: Hub) -> None:
    for number in range(60):
        hub.store.add_device(f"d{number:02}")
    token = hub.store.add_device("z")
    send(hub, token, temperature=21.5)
    open_page(page, hub)
    expect(page.locator("#total")).to_have_text("61")
    page.reload()  # now the board knows those before it
    expect_live(page)
    assert row(page, "z").locator("td").count() == 0
    row(page, "z").scroll_into_view_if_needed()
    expect(row(page, "z")).to_contain_text("21.50")
    send(hub, token, temperature=22.5)
    expect(row(page, "z")).to_contain_text("22.50")


def test_it_is_a_table_for_those_who_hear_it(page: Page, hub: Hub) -> None:
    warm(hub, roof=20)
    open_page(page, hub)
    for name in ("Device", "Status", "temperature", "Readings/s"):
        expect(page.get_by_role("columnheader", name=name)).to_be_visible()
    expect(page.get_by_role("rowheader", name="roof")).to_be_visible()
    expect(page.get_by_role("cell", name="online")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_names_and_metrics_of_any_length_stay_in_their_places(
    page: Page, hub: Hub, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for uid, name in NAMES.items():
        token = hub.store.add_device(uid)
        hub.store.rows("UPDATE devices_device SET name = %s WHERE uid = %s", name[:200], uid)
        send(hub, token, **{LONG_METRIC: 1.5e300, "state": "long " * 50, "temperature": 21.5})
    many = hub.store.add_device("many")
    for begin in range(0, 1000, 250):
        send(hub, many, **{f"metric-{number:04}": number for number in range(begin, begin + 250)})
    open_page(page, hub)
    expect(row(page, "many").locator(".slot .value").first).to_have_text("0")
    boxes: list[Any] = page.locator("tbody td, tbody th").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(({left, right}) => [left, right])"
    )
    assert all(left >= 0 and right <= width for left, right in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_text("Metrics", exact=True).click()
    expect(page.get_by_role("checkbox")).to_have_count(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
