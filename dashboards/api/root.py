"""The API as a whole: its resources, and what is said where there is nothing.

`dashboards.urls` includes `urlpatterns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from dashboards.api import history
from dashboards.api.auth import ReadTokenAuth, SessionAuth
from dashboards.api.door import door
from dashboards.api.problems import answer_of, not_found

RESOURCES: Final = (history.router,)

api = NinjaAPI(
    title="Weir",
    version="1",
    urls_namespace="api",
    auth=[ReadTokenAuth(), SessionAuth()],
    openapi_url=None,
)
for each in (Exception, Http404, HttpError, ValidationError):  # ninja has its own for all of them
    api.add_exception_handler(each, answer_of)
for router in RESOURCES:
    api.add_router("", router)


def nothing(request: HttpRequest) -> HttpResponse:
    """Every address under `/api/` that is none."""
    raise not_found("There is nothing at this address: /api/v1/docs lists what there is.")


def _through_the_door() -> Iterator[URLPattern]:
    for pattern in api.urls[0]:
        assert isinstance(pattern, URLPattern)
        pattern.callback = door(pattern.callback)
        yield pattern


urlpatterns = [
    path("api/v1/", include((list(_through_the_door()), "api"))),
    re_path(r"^api(?:/.*)?\Z", csrf_exempt(door(nothing))),
]
