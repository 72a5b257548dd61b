"""What every request to the API passes, whatever it asks for: HEAD, ETag, caches, and problems."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers

from dashboards.api.answers import digest
from dashboards.api.problems import Problem, bad_parameter, not_found, problem_of

View = Callable[..., HttpResponseBase]


def door(view: View) -> View:
    """`view`, which then answers HEAD as GET, and 304 to who has the answer already."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = _ask(view, request, *args, **kwargs)
        except Exception as error:
            response = problem_of(error).answer()
        return _for_its_reader_alone(request, response)

    return entered


def _ask(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    if request.method not in {"GET", "HEAD"}:
        allow = {"Allow": "GET, HEAD"}
        raise Problem("method-not-allowed", f"{request.method} is not for the API.", headers=allow)
    _refuse_nul(request)
    method, request.method = request.method, "GET"  # ninja knows of no HEAD; servers send no body
    try:
        return view(request, *args, **kwargs)
    finally:
        request.method = method


def _refuse_nul(request: HttpRequest) -> None:
    """The one character that PostgreSQL has in no text."""
    if "\0" in request.path:
        raise not_found("There is nothing at this address.")
    for name, values in request.GET.lists():
        if any("\0" in text for text in [name, *values]):
            raise bad_parameter(name.replace("\0", "…"), "should have no NUL in it")


def _for_its_reader_alone(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Cache-Control", "private, no-cache")
    patch_vary_headers(response, ["Authorization", "Cookie"])
    if not isinstance(response, HttpResponse) or response.status_code != HTTPStatus.OK:
        return response
    response.headers.setdefault("ETag", f'"{digest(response.content)}"')
    found = get_conditional_response(request, etag=response.headers["ETag"], response=response)
    if found is not None and found.status_code == HTTPStatus.PRECONDITION_FAILED:
        return Problem("precondition-failed", "The answer is not the one of If-Match.").answer()
    return found or response
