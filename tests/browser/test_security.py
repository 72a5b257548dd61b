"""What a browser makes of texts that others chose, and of the policy that the pages come with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.pages import expect_live, open_page, send
from tests.hubs import Hub

expect.set_options(timeout=TIMEOUT_MS)

MARKUP = '<img src=x onerror="document.title=1">'
HOSTILE = {
    "markup": MARKUP,
    "a script": "</td></script><script>document.title=1</script>",
    "an attribute": "\" onmouseover='document.title=1' x=\"",
    "a template": "{{ 7|add:7 }}{% debug %}${7+7}",
    "an address": "javascript:document.title=1",
    "right to left": "\u202egnp.exe \u2066drawkcab",
    "very long": "Ã" * 1_000,
    "controls": "\x07\x1b[31mred\x1b[0m\u0085\u2028end",
}


HOLDS = """([selector, text]) => Array.from(document.querySelectorAll(selector))
    .some(each => each.textContent.includes(text))"""


@pytest.fixture(autouse=True)
def violations(page: Page) -> Iterator[list[str]]:
    """What the browser says of the policy; nothing, unless the test takes it away."""
    said: list[str] = []
    page.on(
        "console",
        lambda message: said.append(message.text) if "Content Security" in message.text else None,
    )
    yield said
    assert said == []


def visit(page: Page, hub: Hub, path: str) -> None:
    answer = page.goto(f"http://127.0.0.1:{hub.port}{path}")
    assert answer is not None
    assert answer.ok, path
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def staff_paths(hub: Hub) -> list[str]:
    device = hub.store.device_id("roof")
    series = hub.store.number("SELECT min(id) FROM devices_series")
    return [
        "/admin/",
        "/admin/devices/device/",
        "/admin/devices/device/add/",
        f"/admin/devices/device/{device}/change/",
        f"/admin/devices/device/{device}/delete/",
        f"/admin/devices/device/{device}/history/",
        f"/admin/devices/device/{device}/tokens/issue/",
        "/admin/devices/series/",
        f"/admin/devices/series/{series}/change/",
        "/admin/ingest/refusedreading/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        "/admin/password_change/",
    ]


def test_no_page_breaks_its_own_policy(page: Page, hub: Hub) -> None:
    token = hub.store.add_device("roof")
    send(hub, token, temperature=21.5, state="ok", door=True)
    send(hub, token, temperature="warm")
    visit(page, hub, "/accounts/login/")
    open_page(page, hub)
    visit(page, hub, "/devices/roof/")
    expect_live(page)
    expect(page.locator(".chart canvas").first).to_be_visible()
    send(hub, token, temperature=22.5)
    expect(page.locator("#latest")).to_contain_text("22.50")
    for path in staff_paths(hub):
        visit(page, hub, path)
        page.wait_for_load_state("networkidle")


def test_a_script_in_a_page_is_not_run(page: Page, hub: Hub, violations: list[str]) -> None:
    open_page(page, hub)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'run'";
            document.body.append(script);
            const image = document.createElement("span");
            image.setAttribute("onclick", "document.title = 'run'");
            document.body.append(image);
            image.click();
        }"""
    )
    assert page.title() != "run"
    assert len(violations) == 2
    violations.clear()


def plant(hub: Hub, text: str, index: int) -> str:
    """A device that says `text` wherever it or an operator can; its uid."""
    uid = f"hostile-{index}"
    token = hub.store.add_device(uid)
    hub.store.rows(
        "UPDATE devices_device SET name = %s, tags = %s WHERE uid = %s",
        *(text[:200], json.dumps([text[:60]]), uid),
    )
    hub.store.rows(
        "UPDATE devices_token SET label = %s WHERE device_id = %s",
        *(text[:100], hub.store.device_id(uid)),
    )
    send(hub, token, state=text, level=1)
    # Refused, and shown with its reason: a name that is none, a value of another kind.
    send(hub, token, **{text: 1})
    send(hub, token, level=text)
    return uid


def test_what_others_wrote_is_text_and_does_nothing(page: Page, hub: Hub) -> None:
    uids = [plant(hub, text, index) for index, text in enumerate(HOSTILE.values())]
    open_page(page, hub)
    paths = [f"/devices/{uid}/" for uid in uids]
    paths += [f"/admin/devices/device/{hub.store.device_id(uid)}/change/" for uid in uids]
    paths += ["/", "/admin/devices/device/", "/admin/devices/series/"]
    paths += ["/admin/ingest/refusedreading/"]
    for path in paths:
        visit(page, hub, path)
        if not path.startswith("/admin"):
            expect_live(page)
        assert page.title() != "1"
        for selector in ("img[src=x]", "[onerror]", "[onmouseover]", "a[href^=javascript]"):
            assert page.locator(selector).count() == 0, (path, selector)
        assert "14" not in page.locator("h1").first.inner_text()
        if not path.startswith("/admin"):
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_comes_while_one_looks_is_text_and_does_nothing(
    page: Page, hub: Hub, text: str
) -> None:
    token = hub.store.add_device("roof")
    open_page(page, hub)
    for path in ("/", "/devices/roof/"):
        visit(page, hub, path)
        expect_live(page)
        hub.store.rows("UPDATE devices_device SET name = %s", text[:200])
        send(hub, token, state=text, **{f"new{len(path)}": 1})
        shown = ".slot .value" if path == "/" else "#latest .value"
        page.wait_for_function(HOLDS, arg=[shown, text[:20]])
        send(hub, token, **{text: 1})
        assert page.title() != "1"
        assert page.locator("img, [onerror], [onmouseover]").count() == 0


def test_a_name_that_reverses_what_follows_reverses_itself_alone(page: Page, hub: Hub) -> None:
    hub.store.add_device("roof")
    hub.store.rows("UPDATE devices_device SET name = %s", HOSTILE["right to left"])
    open_page(page, hub)
    name = page.locator('tr[data-uid="roof"] .name')
    directions: Any = name.evaluate("each => getComputedStyle(each).unicodeBidi")
    assert directions in {"isolate", "plaintext", "isolate-override"}


def test_a_series_with_a_uid_that_no_rule_would_let_in_is_text_all_the_same(
    page: Page, hub: Hub, tmp_path: Path
) -> None:
    """As another program might write it into the database: pages do not rely on the rules."""
    token = hub.store.add_device("roof")
    send(hub, token, level=1)
    hub.store.rows("UPDATE devices_device SET uid = %s", MARKUP.replace("/", ""))
    hub.store.rows("UPDATE devices_series SET metric = %s", MARKUP)
    hub.terminate()
    hub.start()
    open_page(page, hub)
    expect(page.locator("tbody .name").first).to_have_text(MARKUP)
    assert page.title() != "1"
    assert page.locator("img").count() == 0
    page.locator("tbody .device a").first.click()
    expect(page.locator("h1")).to_have_text(MARKUP)
    assert page.title() != "1"
    assert page.locator("img").count() == 0
