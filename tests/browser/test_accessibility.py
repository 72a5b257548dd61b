"""axe finds nothing serious on any page: in either theme, on a desk and on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests import ROOT
from tests.browser.pages import expect_live, open_page, send
from tests.hubs import Hub, Store

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SERIOUS = {"serious", "critical"}
# Names as people and devices give them: long, from right to left, markup.
DEVICES = {
    "roof": "Roof",
    "a-uid-that-is-long." * 3: "The weather mast behind the orchard, on the north side of the hill",
    "urn:dev:ow:10e2073a01080063": "محطة الطقس في الحديقة",
    "markup": "<b>bold</b> & <img src=x>",
}
PAGES = {
    "fleet": "/",
    "fleet, nothing found": "/?q=nobody",
    "device": "/devices/roof/",
    "device, long name": f"/devices/{'a-uid-that-is-long.' * 3}/",
    "device, never seen": "/devices/quiet/",
    "compare, nothing chosen": "/compare/",
    "compare": "/compare/?series=roof/temperature&series=markup/temperature",
    "system": "/system/",
    "api": "/api/v1/docs",
    "not found": "/devices/nobody/",
    "revoke": "/devices/roof/tokens/1/revoke/",
    "series": "/devices/roof/series/1/",
    "reset": "/devices/roof/series/1/reset/",
    "delete": f"/devices/{'a-uid-that-is-long.' * 3}/delete/",
}
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory, empty_store: Store) -> Iterator[Hub]:
    """A hub with some of everything that a page may have to show."""
    folder = tmp_path_factory.mktemp("lived-in")
    store = empty_store.copy(folder)
    tokens = {uid: store.add_device(uid) for uid in [*DEVICES, "quiet"]}
    for uid, name in DEVICES.items():
        store.rows("UPDATE devices_device SET name = %s WHERE uid = %s", name, uid)
    with Hub(store, folder, options={"WEIR_RELAY_INTERVAL_S": 0.2}) as hub:
        for uid in DEVICES:
            send(hub, tokens[uid], temperature=21.5, door=True, state="ok", **{"1st": 4})
        store.rows("UPDATE devices_series SET unit = '°C', low = 5, high = 20 WHERE kind = 0")
        yield hub


def found_by_axe(page: Page) -> list[dict[str, Any]]:
    page.evaluate(AXE)
    violations = page.evaluate("async () => (await axe.run()).violations")
    return [each for each in violations if each["impact"] in SERIOUS]


def told(violations: list[dict[str, Any]]) -> str:
    shown = [
        {"id": each["id"], "help": each["help"], "where": [n["html"][:200] for n in each["nodes"]]}
        for each in violations
    ]
    return json.dumps(shown, indent=1, ensure_ascii=False)


@pytest.fixture(scope="module", params=["light", "dark"])
def page_in_theme(
    request: pytest.FixtureRequest, browser: Browser, lived_in: Hub
) -> Iterator[Page]:
    theme: Literal["light", "dark"] = request.param
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    open_page(page, lived_in)
    yield page
    context.close()


def look(page: Page, hub: Hub, path: str, size: Any) -> None:
    """At a page as it is when all of it is there."""
    page.set_viewport_size(size)
    page.goto(f"http://127.0.0.1:{hub.port}{path}")
    if page.locator("#banner").count():
        expect_live(page)
    if page.locator("#api").count():
        page.locator(".opblock").first.wait_for()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_axe_finds_nothing_serious(
    page_in_theme: Page, lived_in: Hub, path: str, size: Any
) -> None:
    look(page_in_theme, lived_in, path, size)
    violations = found_by_axe(page_in_theme)
    assert not violations, told(violations)


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_nothing_is_wider_than_a_phone(page_in_theme: Page, lived_in: Hub, path: str) -> None:
    look(page_in_theme, lived_in, path, PHONE)
    wide = page_in_theme.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_axe_finds_nothing_serious_at_the_door(page: Page, lived_in: Hub) -> None:
    page.goto(f"http://127.0.0.1:{lived_in.port}/")
    violations = found_by_axe(page)
    assert not violations, told(violations)


def test_axe_would_find_what_is_wrong(page: Page, lived_in: Hub) -> None:
    page.goto(f"http://127.0.0.1:{lived_in.port}/")
    page.evaluate("document.querySelector('label').remove()")
    assert [each["id"] for each in found_by_axe(page)] == ["label"]
