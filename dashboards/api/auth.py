"""How the API is told who reads: two ways, as ninja and its OpenAPI page know them."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from ninja.security.base import AuthBase

from dashboards import access
from dashboards.access import Reader


class ReadTokenAuth(AuthBase):
    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A read token (`weir_read_…`), made in the admin or by `addreadtoken`."

    def __call__(self, request: HttpRequest) -> Reader | None:
        return access.token_reader(request)


class SessionAuth(AuthBase):
    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = "The session of a login that may look at devices."

    def __call__(self, request: HttpRequest) -> Reader:
        return access.session_reader(request)


def reader_of(request: HttpRequest) -> Reader:
    """Who was let in to the view that asks."""
    reader: Reader = request.auth  # type: ignore[attr-defined]  # ninja puts it there
    return reader
