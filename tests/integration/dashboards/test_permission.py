"""Who sees which page, over every page that there is: a new one is in here by itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern

from dashboards.urls import urlpatterns
from devices.models import Device
from devices.roles import VIEWERS
from tests.integration.dashboards.conftest import browser_of

FOR_EVERYBODY = {"login", "logout"}
PAGES = [
    each
    for each in urlpatterns
    if isinstance(each, URLPattern) and each.name and each.name not in FOR_EVERYBODY
]
OF_ROOF = {"str:uid": "roof"}

pytestmark = pytest.mark.django_db


def path_of(page: URLPattern) -> str:
    """Its address for the device roof; numbers in it are 1."""
    route = str(page.pattern)
    return "/" + re.sub(r"<(.+?)>", lambda found: OF_ROOF.get(found[1], "1"), route)


def ask(client: Client, page: URLPattern) -> Any:
    """As a link would, or as a form would where only forms are answered."""
    answer = client.get(path_of(page))
    return client.post(path_of(page)) if answer.status_code == 405 else answer


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.name)
def test_without_a_login_one_is_led_to_it(page: URLPattern) -> None:
    answer = ask(Client(), page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.name)
def test_a_login_that_may_not_look_is_told_whom_to_ask(page: URLPattern) -> None:
    Device.objects.create(uid="roof")
    answer = ask(browser_of("eve"), page)
    assert answer.status_code == 403
    said = answer.content.decode()
    assert 'logged in as <strong dir="auto">eve</strong>' in said
    assert "Ask whoever gave you the login" in said
    assert "Log out" in said


def test_a_viewer_looks() -> None:
    Device.objects.create(uid="roof")
    viewer = browser_of("ada", VIEWERS)
    for path in ("/", "/devices/roof/", "/compare/", "/system/"):
        assert viewer.get(path).status_code == 200, path
