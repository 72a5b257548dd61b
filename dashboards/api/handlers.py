"""What is said of a request that came to no view; `project.urls` names it.

A Host that is none of the hub's is refused before any address is looked at: under `/api/` that is a
problem as all others are, elsewhere Django's page.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import defaults

from dashboards.api.problems import problem_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        answer: HttpResponse = problem_of(exception).answer()
        return answer
    return defaults.bad_request(request, exception)
