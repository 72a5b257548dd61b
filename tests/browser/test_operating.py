"""Operators at a device's page: its token rotated and revoked under way, tried, and deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, send
from tests.browser.test_accessibility import found_by_axe, told
from tests.hubs import DEADLINE_S, Hub, wait_until

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def token(hub: Hub) -> str:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5, door=True, state="it's fine")
    return token


@contextmanager
def connected(hub: Hub, token: str) -> Iterator[ClientConnection]:
    """A device that stays connected, as one that is in use."""
    bearer = {"Authorization": f"Bearer {token}"}
    with connect(hub.url, additional_headers=bearer, proxy=None) as device:
        yield device


def says(device: ClientConnection, **values: object) -> str:
    """The type of the hub's answer."""
    device.send(json.dumps(values))
    answer: str = json.loads(device.recv(DEADLINE_S))["type"]
    return answer


def last_word(device: ClientConnection) -> tuple[str, int]:
    """What the hub says to a device that it shows out, and its close code."""
    code = ""
    try:
        while True:
            code = json.loads(device.recv(DEADLINE_S)).get("code", "")
    except ConnectionClosed as closed:
        return code, closed.rcvd.code if closed.rcvd else 0


def rotate(page: Page, changeover: str) -> str:
    """The new token, as it is shown."""
    page.get_by_role("radio", name=changeover).check()
    page.get_by_role("button", name="Issue a new token").click()
    return page.locator("#token").inner_text().strip()


def test_a_device_goes_on_while_it_is_changed_over(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    with connected(hub, token) as device:
        assert says(device, temperature=1) == "ack"
        new = rotate(page, "in an hour")
        expect(page.get_by_text("The token it had ends in an hour")).to_be_visible()
        send(hub, new, temperature=2)
        assert says(device, temperature=3) == "ack"
    send(hub, token, temperature=4)
    page.get_by_role("link", name="I have copied it").click()
    expect(page.locator("#tokens tbody tr")).to_have_count(2)
    assert new not in page.content()


def test_a_former_token_that_ends_at_once_is_shown_out(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    with connected(hub, token) as device:
        assert says(device, temperature=1) == "ack"
        new = rotate(page, "at once")
        assert last_word(device) == ("token_expired", 4401)
    send(hub, new, temperature=2)


def test_the_new_token_can_be_copied(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    new = rotate(page, "in a day")
    page.get_by_role("button", name="Copy the token").click()
    assert page.evaluate("navigator.clipboard.readText()") == new
    assert new not in page.url


def test_revoking_closes_the_devices_connection(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    with connected(hub, token) as device:
        assert says(device, temperature=1) == "ack"
        page.get_by_role("link", name="Revoke").click()
        expect(page.get_by_role("heading", name="Revoke")).to_be_visible()
        assert says(device, temperature=2) == "ack"
        page.get_by_role("button", name="Revoke the token").click()
        expect(page.get_by_text("is revoked, and its connection closed")).to_be_visible()
        assert last_word(device) == ("token_revoked", 4403)
    answer = hub.ask("/ingest/", "{}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401


def try_out(page: Page, text: str) -> None:
    page.get_by_label("A frame, as JSON").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def tokens_that_let_in(hub: Hub) -> int:
    return hub.store.number("SELECT count(*) FROM devices_token WHERE revoked_at IS NULL")


def test_what_is_tried_is_stored_and_its_answer_is_shown(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    example = json.loads(page.get_by_label("A frame, as JSON").input_value())
    assert example == {"values": {"door": True, "state": "it's fine", "temperature": 21.5}}
    newest = page.locator("#try-answers > li").first
    page.get_by_role("button", name="Send", exact=True).click()
    expect(newest).to_contain_text("Stored 3, duplicate 0, rejected 0.")
    expect(newest).to_contain_text('"type":"ack"')
    try_out(page, '{"values": {"temperature": "warm", "door": false}}')
    expect(newest).to_contain_text("Stored 1, duplicate 0, rejected 1.")
    expect(newest).to_contain_text("the series began with another kind of value (kind_mismatch)")
    expect(page.locator("#refused")).to_contain_text("kind_mismatch")
    assert tokens_that_let_in(hub) == 2
    page.get_by_role("button", name="Disconnect").click()
    wait_until(lambda: tokens_that_let_in(hub) == 1, "its token is revoked")


def test_a_refusal_and_a_close_are_told_in_words(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    newest = page.locator("#try-answers > li").first
    try_out(page, "not JSON")
    expect(newest).to_contain_text("The hub could not read that as a frame. (4400)")
    expect(page.locator("#try-answers")).to_contain_text("Refused: not JSON")
    try_out(page, "{}")
    expect(newest).to_contain_text("Stored 0, duplicate 0, rejected 0.")


def test_a_trial_ends_as_the_page_is_left(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#try-answers")).to_contain_text("Stored 3")
    assert tokens_that_let_in(hub) == 2
    page.get_by_role("link", name="Compare").click()
    wait_until(lambda: tokens_that_let_in(hub) == 1, "its token is revoked")


def test_a_device_whose_hub_is_away_is_told_so(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    hub.terminate()
    try_out(page, "{}")
    expect(page.locator("#try-answers > li").first).to_contain_text("cannot be reached")
    hub.start()
    try_out(page, "{}")
    expect(page.locator("#try-answers > li").first).to_contain_text("Stored 0")


def test_a_deleted_device_leaves_the_fleet(page: Page, hub: Hub, token: str) -> None:
    hub.store.add_device("porch")
    open_page(page, hub, "/devices/roof/")
    page.get_by_role("link", name="Delete roof").click()
    expect(page.locator(".goes")).to_contain_text(re.compile(r"Readings\s*3"))
    page.get_by_label("Type roof to delete it").fill("porch")
    page.get_by_role("button", name="Delete the device").click()
    expect(page.get_by_role("alert")).to_have_text("That is not its uid. Nothing was deleted.")
    page.get_by_label("Type roof to delete it").fill("roof")
    page.get_by_role("button", name="Delete the device").click()
    expect(page.get_by_text("roof is deleted, with 3 readings")).to_be_visible()
    expect_live(page)
    expect(page.locator('tr[data-uid="porch"]')).to_be_visible()
    expect(page.locator('tr[data-uid="roof"]')).to_have_count(0)


def test_a_series_that_is_reset_takes_another_kind(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    page.get_by_text("Units and bands of 3 series").click()
    page.get_by_role("link", name="Reset temperature").click()
    page.get_by_role("button", name="Delete 1 reading").click()
    expect(page.get_by_text("temperature is reset")).to_be_visible()
    send(hub, token, temperature="warm")
    expect(page.locator('#latest [data-metric="temperature"]')).to_contain_text("warm")


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_in_what_opens(
    page: Page, hub: Hub, token: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_page(page, hub, "/devices/roof/")
    try_out(page, '{"values": {"temperature": "warm", "door": false}}')
    expect(page.locator("#try-answers > li").first).to_contain_text("rejected 1")
    for summary in ("MicroPython", "Units and bands"):
        page.locator("summary", has_text=summary).click()
    violations = found_by_axe(page)
    assert not violations, told(violations)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rotate(page, "in a day")
    violations = found_by_axe(page)
    assert not violations, told(violations)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_a_token_is_rotated_all_the_same(page: Page, hub: Hub, token: str) -> None:
    open_page(page, hub, "/devices/roof/")
    page.route("**/*.js", lambda route: route.abort())
    page.reload()
    new = rotate(page, "at once")
    send(hub, new, temperature=2)
