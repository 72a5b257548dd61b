"""What holds of every resource: ETag, HEAD, caches, and problems instead of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError
from django.test import Client

from dashboards import queries
from dashboards.api.problems import problem_of
from devices.models import Device

pytestmark = pytest.mark.usefixtures("roof")

RESOURCES = [
    "/api/v1/devices",
    "/api/v1/devices/roof",
    "/api/v1/devices/roof/series",
    "/api/v1/devices/roof/latest",
    "/api/v1/devices/roof/counts",
    "/api/v1/latest",
    "/api/v1/counts",
    "/api/v1/history?series=roof/temperature&from=1000&to=2000",
    "/api/v1/problems/bug",
    "/api/v1/openapi.json",
]


@pytest.mark.parametrize("address", RESOURCES)
def test_what_has_not_changed_is_not_sent_again(client: Client, address: str) -> None:
    first = client.get(address)
    assert first.status_code == 200
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(first["Vary"].split(", "))
    for etag in (first["ETag"], f'"other", {first["ETag"]}', "*"):
        again = client.get(address, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        assert again["Cache-Control"] == "private, no-cache"
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_tag_that_must_match_and_does_not_is_a_problem(client: Client) -> None:
    response = client.get("/api/v1/devices/roof/series", headers={"If-Match": '"other"'})
    assert response.status_code == 412
    assert response.json()["type"] == "/api/v1/problems/precondition-failed"


def test_what_has_changed_is_sent(client: Client) -> None:
    for address in ("/api/v1/devices", "/api/v1/devices/roof"):
        etag = client.get(address)["ETag"]
        Device.objects.update(name=address)
        assert client.get(address, headers={"If-None-Match": etag}).status_code == 200


def test_the_hubs_time_alone_is_no_change(client: Client) -> None:
    """So the tag is a weak one: two answers with it may differ in `at`."""
    answers = [client.get("/api/v1/devices/roof") for _ in range(2)]
    assert answers[0]["ETag"] == answers[1]["ETag"]
    assert answers[0]["ETag"].startswith('W/"')
    assert not client.get("/api/v1/devices/roof/series")["ETag"].startswith("W/")


def test_two_readers_of_different_scope_have_no_tag_in_common(
    client: Client, reading: Callable[..., Client]
) -> None:
    etag = client.get("/api/v1/devices")["ETag"]
    narrow = reading("device:none").get("/api/v1/devices", headers={"If-None-Match": etag})
    assert (narrow.status_code, narrow.json()["total"]) == (200, 0)


@pytest.mark.parametrize("address", [*RESOURCES, "/api/v1/devices/none", "/api/v1/docs"])
def test_head_says_what_get_would(client: Client, address: str) -> None:
    got, told = client.get(address), client.head(address)
    assert (told.status_code, told.content) == (got.status_code, b"")
    assert told.get("ETag") == got.get("ETag")
    assert told["Content-Type"] == got["Content-Type"]


def is_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "private, no-cache"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["type"]) == (status, f"/api/v1/problems/{kind}")
    assert problem["detail"].endswith(".")
    return problem


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("address", ["/api/v1/devices", "/api/v1/history", "/api/none"])
def test_the_api_only_reads(client: Client, address: str, method: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    response = getattr(strict, method)(address)
    problem = is_problem(response, 405, "method-not-allowed")
    assert problem["detail"] == f"{method.upper()} is not for the API."
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "address",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/none",
        "/api/v1/devices/",
        "/api/v1/devices/roof/",
        "/api/v1/devices/roof/none",
        "/api/v2/devices",
        "/api/v1/problems/none",
        "/api/v1/devices/a%00b",
        "/api/<script>",
        "/api/v1/devices/%0a",
    ],
)
@pytest.mark.parametrize("logged_in", [True, False])
def test_there_is_no_page_where_there_is_nothing(
    client: Client, address: str, logged_in: bool
) -> None:
    response = (client if logged_in else Client()).get(address)
    if response.status_code == 401:
        is_problem(response, 401, "not-authenticated")
    else:
        is_problem(response, 404, "not-found")


def test_a_host_that_is_none_of_the_hubs_gets_a_problem_too(client: Client) -> None:
    response = client.get("/api/v1/devices", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response.json()["type"] == "/api/v1/problems/bad-request"
    page = client.get("/", headers={"host": "evil.example"})
    assert (page.status_code, page["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_too_many_parameters_are_a_problem_too(client: Client) -> None:
    response = client.get("/api/v1/devices?" + "&".join(f"p{n}=1" for n in range(2_000)))
    is_problem(response, 400, "bad-request")


@pytest.mark.parametrize("error", [OperationalError("no socket"), DatabaseError("disk image")])
def test_a_database_that_does_not_answer_is_told_with_when_to_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*args: Any) -> None:
        raise error

    monkeypatch.setattr(queries, "history", away)
    response = client.get("/api/v1/history?series=roof/temperature&from=1000&to=2000")
    problem = is_problem(response, 503, "database-away")
    assert response["Retry-After"] == "5"
    assert str(error) not in str(problem)


@pytest.mark.parametrize("error", [ProgrammingError("SELECT"), KeyError("secret"), TypeError()])
def test_a_bug_is_logged_and_told_without_details(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any, error: Exception
) -> None:
    def buggy(*args: Any) -> None:
        raise error

    monkeypatch.setattr(queries, "history", buggy)
    response = client.get("/api/v1/history?series=roof/temperature&from=1000&to=2000")
    problem = is_problem(response, 500, "bug")
    assert problem["detail"] == "The hub made a mistake; its log has the details."
    assert "Traceback" in caplog.text


def test_a_problem_is_one_however_it_comes_about() -> None:
    one = problem_of(KeyError())
    assert problem_of(one) is one
