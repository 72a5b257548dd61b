"""The compare page: several series of several devices on one time axis, as its address says."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.pages.context import page_context
from dashboards.pages.permission import needs_look


@require_safe
@needs_look
def compare(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    context = {"asked": request.GET.getlist("series")}
    return render(request, "dashboards/compare.html", page_context(request, now_ms) | context)
