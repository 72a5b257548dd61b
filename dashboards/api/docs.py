"""The OpenAPI schema, and the page that shows it: Swagger's own files, served by this hub.

No request of the page leaves the hub, so it works where there is no other network.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from dashboards import access
from dashboards.api.answers import answer
from dashboards.api.door import View
from dashboards.api.problems import KINDS, MEDIA_TYPE
from dashboards.api.schemas import ProblemOut
from dashboards.pages.permission import needs_look

ABOUT: Final = """What this hub knows, for programs; it only reads.

Log in, or send `Authorization: Bearer` and a read token. All times are Unix milliseconds. Every
answer has an `ETag`: sent back in `If-None-Match`, it costs a 304 while nothing has changed. What
cannot be answered is said as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details."""


def schema(api: NinjaAPI) -> View:
    """The view of `openapi.json`."""

    @cache
    def written() -> dict[str, Any]:
        return with_problems(api.get_openapi_schema())

    def openapi(request: HttpRequest) -> HttpResponse:
        access.reader_of(request)
        return answer(written())

    return openapi


def with_problems(written: dict[str, Any]) -> dict[str, Any]:
    """The schema with the problems that any operation may answer instead, and its examples where
    Swagger's page looks for them."""
    problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
    written["components"]["schemas"] |= problem.pop("$defs") | {"ProblemOut": problem}
    for operations in written["paths"].values():
        for operation in operations.values():
            said = {str(status): each for status, each in operation["responses"].items()}
            operation["responses"] = said | {"4XX": _problems("4"), "5XX": _problems("5")}
            for parameter in operation["parameters"]:
                for example in parameter["schema"].pop("examples", ())[:1]:
                    parameter["example"] = example
    return written


def _problems(hundreds: str) -> dict[str, Any]:
    """A response of all kinds of problem whose status begins so."""
    kinds = ((status, title) for status, title, _ in KINDS.values())
    named = [f"{status}: {title}." for status, title in kinds if str(status).startswith(hundreds)]
    reference = {"$ref": "#/components/schemas/ProblemOut"}
    return {"description": " ".join(named), "content": {MEDIA_TYPE: {"schema": reference}}}


@csp_update({"img-src": ["data:"]})  # Swagger's style sheet draws its arrows so
@require_safe
@needs_look
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboards/api.html", {"schema_url": reverse("api:openapi-json")})
