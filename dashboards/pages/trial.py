"""Trying a device in the browser: a token of its own for the script of the page, for minutes.

It is a device's token like any other, so what it is used for goes in at the device's door. It is
issued when the script asks for it, and ends when the page is left, or soon after by itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from dashboards.pages.journal import note_change
from dashboards.pages.permission import needs
from devices.models import Device
from devices.roles import TRY
from devices.tokens import issue

TRIED: Final = "tried in the browser"
"""The label of these tokens, by which they are known again."""

# Long enough to write a frame and read its answer a few times; the page asks for another after it.
LASTS: Final = timedelta(minutes=10)


@require_POST
@never_cache
@needs(TRY)
def begin_trial(request: HttpRequest, uid: str) -> HttpResponse:
    """Issue a token for the page that asks; those of earlier pages that ended are forgotten."""
    found = get_object_or_404(Device, uid=uid)
    now = timezone.now()
    tried = found.tokens.filter(label=TRIED)
    (tried.filter(expires_at__lte=now) | tried.filter(revoked_at__isnull=False)).delete()
    token, text = issue(found, label=TRIED, expires_at=now + LASTS)
    note_change(request, found, f"Issued {token} to try the device in the browser.")
    return JsonResponse({"id": token.pk, "token": text})


@require_POST
@never_cache
@needs(TRY)
def end_trial(request: HttpRequest, uid: str) -> HttpResponse:
    """Revoke the token whose `id` the page was given: it is left."""
    found = get_object_or_404(Device, uid=uid)
    asked = request.POST.get("id", "")
    tried = found.tokens.filter(label=TRIED, revoked_at=None)
    if asked.isascii() and asked.isdigit():
        tried.filter(pk=asked[:18]).update(revoked_at=timezone.now())
    return HttpResponse(status=204)
