"""What guards the pages of a real hub: forms, policies, cookies, TLS in front, wrong passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.browsing import FORM, PASSWORD, Browser, add_operator
from tests.acceptance.devices import device
from tests.hubs import Hub, Store

FAILED_LOGINS = 1  # the next minute is far away, even on a slow machine
PROXY = "127.0.9.9"
HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(scope="module")
def operated(new_store: Callable[[str], Store]) -> Store:
    store = new_store("sqlite")
    add_operator(store)
    return store


@pytest.fixture(scope="module")
def hub(operated: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    options = {"WEIR_FAILED_LOGINS_PER_MIN": FAILED_LOGINS}
    with Hub(operated.copy(folder), folder, options=options) as hub:
        hub.store.add_device("roof")
        yield hub
        assert "Traceback" not in hub.log


@pytest.fixture
def browser(hub: Hub) -> Browser:
    browser = Browser()
    assert browser.log_in(hub).status == 302
    return browser


FORMS = [
    ("/accounts/login/", {"username": "ada", "password": PASSWORD}),
    ("/accounts/logout/", {}),
    ("/admin/logout/", {}),
    ("/admin/devices/device/add/", {"uid": "forged"}),
    ("/admin/devices/device/1/tokens/issue/", {}),
    ("/admin/devices/device/1/delete/", {"post": "yes"}),
    ("/admin/password_change/", {"old_password": PASSWORD}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS, ids=[path for path, _ in FORMS])
def test_a_form_that_another_site_forged_is_refused(
    hub: Hub, browser: Browser, path: str, fields: dict[str, str]
) -> None:
    before = browser.cookie
    token = browser.cookies.pop("csrftoken")
    assert browser.send(hub, path, **fields).status == 403
    browser.cookies["csrftoken"] = token
    headers = {"Cookie": before, "Content-Type": FORM, "Origin": "http://evil.example"}
    body = f"csrfmiddlewaretoken={token}"
    assert hub.ask(path, body, headers=headers).status == 403
    assert browser.ask(hub, "/").status == 200
    assert hub.store.number("SELECT count(*) FROM devices_device") == 1
    assert hub.store.number("SELECT count(*) FROM devices_token") == 1


def test_a_form_of_the_hubs_own_is_taken(hub: Hub, browser: Browser) -> None:
    browser.ask(hub, "/admin/devices/device/1/tokens/issue/")
    shown = browser.send(hub, "/admin/devices/device/1/tokens/issue/", label="here")
    assert (shown.status, "weir_" in shown.body) == (200, True)
    hub.store.rows("DELETE FROM devices_token WHERE label = 'here'")
    assert browser.send(hub, "/accounts/logout/").status == 302
    assert browser.ask(hub, "/").status == 302


def test_nobody_is_logged_out_by_a_link(hub: Hub, browser: Browser) -> None:
    assert browser.ask(hub, "/accounts/logout/").status == 405
    assert browser.ask(hub, "/").status == 200


PATHS = ["/", "/devices/roof/", "/accounts/login/", "/admin/", "/unknown/", "/static/none.js"]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_comes_with_its_policy(hub: Hub, browser: Browser, path: str) -> None:
    headers = browser.ask(hub, path).headers
    directives = headers["Content-Security-Policy"].split("; ")
    policy = dict(directive.split(" ", 1) for directive in directives)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    for none in ("object-src", "base-uri", "frame-ancestors"):
        assert policy[none] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_a_session_is_not_for_scripts_nor_for_other_sites(hub: Hub) -> None:
    cookies = Browser().log_in(hub).headers.get_all("Set-Cookie", [])
    (session,) = [cookie for cookie in cookies if cookie.startswith("sessionid=")]
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session


def test_another_password_logs_every_browser_out(hub: Hub, browser: Browser) -> None:
    other = Browser()
    other.log_in(hub)
    changed = PASSWORD + "!"
    browser.ask(hub, "/admin/password_change/")
    for old, new in [(PASSWORD, changed), (changed, PASSWORD)]:
        fields = {"old_password": old, "new_password1": new, "new_password2": new}
        assert browser.send(hub, "/admin/password_change/", **fields).status == 302
        assert browser.ask(hub, "/").status == 200
        assert other.ask(hub, "/").status == 302


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example"])
async def test_a_page_of_another_site_is_not_told_what_is_live(
    hub: Hub, browser: Browser, origin: str
) -> None:
    async with browser.look(hub, origin) as dashboard:
        error, code = await dashboard.hear_last_word()
        assert (error["code"], code) == ("foreign_origin", 4403)


async def test_without_a_login_nothing_is_told(hub: Hub) -> None:
    async with Browser().look(hub) as dashboard:
        error, code = await dashboard.hear_last_word()
        assert (error["code"], code) == ("not_logged_in", 4401)


def guess(hub: Hub, path: str, source: str, password: str = "wrong") -> Any:
    browser = Browser()
    browser._note(hub.ask("/accounts/login/", source=source))
    headers = {"Cookie": browser.cookie, "Content-Type": FORM}
    token = browser.cookies["csrftoken"]
    body = f"username=ada&password={password}&csrfmiddlewaretoken={token}"
    return hub.ask(path, body, headers=headers, source=source)


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_an_address_that_guesses_passwords_is_told_to_wait(
    hub: Hub, browser: Browser, path: str
) -> None:
    here, there = (f"127.0.{len(path)}.{n}" for n in (1, 2))
    right = PASSWORD.replace(" ", "+")
    before = hub.figures()["weir_logins_limited_total"]
    for _ in range(2 * FAILED_LOGINS):  # who is let in is charged nothing
        assert guess(hub, path, here, right).status == 302
    for _ in range(FAILED_LOGINS):
        assert guess(hub, path, here).status == 200
    answer = guess(hub, path, here, right)
    assert (answer.status, "Set-Cookie" in answer.headers) == (429, False)
    assert int(answer.headers["Retry-After"]) >= 1
    assert hub.figures()["weir_logins_limited_total"] == before + 1
    assert guess(hub, path, there, right).status == 302
    assert browser.ask(hub, "/").status == 200


def test_error_pages_with_settings_are_for_the_hubs_own_machine(
    operated: Store, tmp_path: Path
) -> None:
    """Whatever server listens, and where: the hub asks who it is that asks."""
    with Hub(operated.copy(tmp_path), tmp_path, options={"WEIR_DEBUG": "true"}) as hub:
        for path in ("/unknown/", "/accounts/login/", "/admin/"):
            answer = hub.ask(path, headers={"X-Forwarded-For": "192.0.2.7"})
            assert answer.status == 401
            assert "project.urls" not in answer.body
        assert "project.urls" in hub.ask("/unknown/").body


@pytest.fixture(scope="module")
def tls_hub(operated: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    options = {"WEIR_HTTPS": "true", "WEIR_TRUSTED_PROXIES": PROXY}
    with Hub(operated.copy(folder), folder, options=options) as hub:
        yield hub


def test_behind_tls_pages_are_for_https_alone(tls_hub: Hub) -> None:
    for path in ("/", "/accounts/login/", "/admin/"):
        plain = tls_hub.ask(path)
        assert (plain.status, plain.headers["Location"]) == (
            301,
            f"https://127.0.0.1:{tls_hub.port}{path}",
        )
        claimed = tls_hub.ask(path, headers=HTTPS)  # by somebody who is no proxy of ours
        assert claimed.status == 301
    page = tls_hub.ask("/accounts/login/", headers=HTTPS, source=PROXY)
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=2592000"
    assert "Secure" in page.headers["Set-Cookie"]


def test_behind_tls_a_form_of_the_hubs_own_https_page_is_taken(tls_hub: Hub) -> None:
    browser = Browser()
    browser._note(tls_hub.ask("/accounts/login/", headers=HTTPS, source=PROXY))
    token = browser.cookies["csrftoken"]
    body = f"username=ada&password={PASSWORD.replace(' ', '+')}&csrfmiddlewaretoken={token}"
    origin = f"https://127.0.0.1:{tls_hub.port}"
    headers = HTTPS | {"Cookie": browser.cookie, "Content-Type": FORM}
    for other in ("https://evil.example", f"http://127.0.0.1:{tls_hub.port}"):
        answer = tls_hub.ask(
            "/accounts/login/", body, headers=headers | {"Origin": other}, source=PROXY
        )
        assert answer.status == 403
    answer = tls_hub.ask(
        "/accounts/login/", body, headers=headers | {"Origin": origin}, source=PROXY
    )
    assert answer.status == 302
    assert "Secure" in str(answer.headers.get_all("Set-Cookie"))


async def test_behind_tls_what_is_no_page_goes_on_over_plain_http(tls_hub: Hub) -> None:
    token = tls_hub.store.add_device("porch")
    headers = {"Authorization": f"Bearer {token}"}
    assert tls_hub.ask("/ingest/", '{"x":1}', headers=headers).status == 200
    async with device(tls_hub.url, token) as plain:
        assert (await plain.ask({"x": 1}))["type"] == "ack"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert tls_hub.ask(path).status == 200
