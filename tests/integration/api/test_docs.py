"""The schema of the API, and the page that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboards.api.problems import KINDS


@pytest.fixture
def schema(client: Client) -> Any:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.json()


def operations(schema: Any) -> dict[str, Any]:
    return {path: methods["get"] for path, methods in schema["paths"].items()}


def test_every_resource_is_in_the_schema_and_only_read(schema: Any) -> None:
    assert schema["openapi"].startswith("3.")
    assert {
        "/api/v1/devices",
        "/api/v1/devices/{uid}",
        "/api/v1/devices/{uid}/series",
        "/api/v1/devices/{uid}/latest",
        "/api/v1/devices/{uid}/counts",
        "/api/v1/latest",
        "/api/v1/history",
        "/api/v1/counts",
    } <= set(schema["paths"])
    assert all(set(methods) == {"get"} for methods in schema["paths"].values())


def test_every_operation_and_parameter_is_described(schema: Any) -> None:
    for path, operation in operations(schema).items():
        assert operation["description"], path
        assert operation["summary"], path
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                assert parameter["schema"].get("description"), (path, parameter["name"])


def test_every_operation_names_how_to_be_let_in_and_what_can_go_wrong(schema: Any) -> None:
    for path, operation in operations(schema).items():
        problem = {"$ref": "#/components/schemas/ProblemOut"}
        for status in ("4XX", "5XX"):
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": problem}}, path
        assert "401: Not authenticated." in operation["responses"]["4XX"]["description"]
        if "problems" not in path:
            ways = [name for way in operation["security"] for name in way]
            assert ways == ["ReadTokenAuth", "SessionAuth"]
    schemes = schema["components"]["securitySchemes"]
    assert schemes["ReadTokenAuth"]["scheme"] == "bearer"
    assert (schemes["SessionAuth"]["in"], schemes["SessionAuth"]["name"]) == ("cookie", "sessionid")


def test_every_reference_leads_somewhere(schema: Any) -> None:
    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if "$ref" in part else set()
            return own.union(*(references(each) for each in part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    known = {f"#/components/schemas/{name}" for name in schema["components"]["schemas"]}
    assert references(schema) <= known


def test_the_schema_is_read_with_a_token_too(reading: Callable[..., Client]) -> None:
    assert reading("device:roof").get("/api/v1/openapi.json").status_code == 200
    assert Client().get("/api/v1/openapi.json").status_code == 401


def test_the_page_is_for_those_who_may_look(client: Client) -> None:
    assert b"swagger-ui-bundle.js" in client.get("/api/v1/docs").content
    stranger = Client().get("/api/v1/docs")
    assert (stranger.status_code, stranger["Location"]) == (
        302,
        "/accounts/login/?next=/api/v1/docs",
    )
    nobody = Client()
    nobody.force_login(User.objects.create_user("bob"))
    assert nobody.get("/api/v1/docs").status_code == 403


def test_the_root_leads_to_the_page(client: Client) -> None:
    assert client.get("/api/v1/")["Location"] == "/api/v1/docs"


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_of_each_problem_leads_to_what_it_means(engine: str, kind: str) -> None:
    answer = Client().get(f"/api/v1/problems/{kind}").json()
    assert (answer["status"], answer["title"], answer["meaning"]) == KINDS[kind]
