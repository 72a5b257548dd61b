"""The API as a whole: its resources, its OpenAPI page, and what is said where there is nothing.

`dashboards.urls` includes `urlpatterns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

from dashboards.api import counts, devices, docs, history, kinds, latest
from dashboards.api.auth import ReadTokenAuth, SessionAuth
from dashboards.api.door import door
from dashboards.api.problems import answer_of, not_found

RESOURCES: Final = (
    devices.router,
    latest.router,
    history.router,
    counts.router,
    kinds.router,
)


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        """A name that a generated client can give its function."""
        return operation.view_func.__name__


api = Api(
    title="Weir",
    version="1",
    description=docs.ABOUT,
    urls_namespace="api",
    auth=[ReadTokenAuth(), SessionAuth()],
    openapi_url=None,  # with its page it is in `docs`, behind a login
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


patterns = [
    path("docs", docs.page, name="openapi-view"),
    path("openapi.json", door(docs.schema(api)), name="openapi-json"),
    *_through_the_door(),
]
urlpatterns = [
    path("api/v1/", RedirectView.as_view(pattern_name="api:openapi-view")),
    path("api/v1/", include((patterns, "api"))),
    re_path(r"^api(?:/.*)?\Z", csrf_exempt(door(nothing))),
]
