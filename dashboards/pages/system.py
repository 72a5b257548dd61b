"""The system page: how this hub process is, as its own figures tell."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.pages.context import page_context
from dashboards.pages.permission import needs_look


@require_safe
@needs_look
def system(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    return render(request, "dashboards/system.html", page_context(request, now_ms))
