"""A device's tokens on its page: which there are, a new one in place of the others, one revoked.

A token's text is in the answer to the form that asked for it and nowhere else: not in the session,
so not in the database, and in no address. So the form's answer is a page, and no redirect to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from dashboards.latest import device_present
from dashboards.pages.context import hub_url
from dashboards.pages.journal import note_change
from dashboards.pages.permission import needs
from dashboards.pages.snippets import snippets
from dashboards.pages.trial import TRIED
from devices.models import Device, Token
from devices.roles import REVOKE, ROTATE
from devices.rotation import revoke, rotate, state_of

CHANGEOVERS: Final = [(0, "at once"), (3_600, "in an hour"), (86_400, "in a day")]
"""When the former tokens end, in seconds and in words."""

CHANGEOVER_DEFAULT: Final = 86_400


@dataclass(frozen=True)
class ShownToken:
    """A token as the page lists it."""

    token: Token
    state: str

    @property
    def lets_in(self) -> bool:
        """Now or later, so that there is something to revoke."""
        return self.state in {"valid", "not yet valid"}


class RotationForm(forms.Form):
    changeover = forms.TypedChoiceField(choices=CHANGEOVERS, coerce=int)
    label = forms.CharField(max_length=100, required=False)
    # The newest token that whoever sends the form has seen: a form that is sent twice, by a reload
    # of its answer say, is not to end the token that was issued the first time.
    newest = forms.IntegerField()


def tokens_of(device: Device) -> list[ShownToken]:
    """Those that let the device in come first, and among them the newest."""
    now = timezone.now()
    shown = [ShownToken(each, state_of(each, now)) for each in device.tokens.order_by("-pk")]
    shown = [each for each in shown if each.lets_in or each.token.label != TRIED]
    return sorted(shown, key=lambda each: not each.lets_in)


def newest_of(device: Device) -> int:
    """The id of the newest token that was issued to stay; 0 where there is none."""
    newest: int | None = device.tokens.exclude(label=TRIED).aggregate(newest=Max("pk"))["newest"]
    return newest or 0


@require_POST
@never_cache
@needs(ROTATE)
def rotate_token(request: HttpRequest, uid: str) -> HttpResponse:
    """Issue a token, and show it: this once."""
    found = get_object_or_404(Device, uid=uid)
    form = RotationForm(request.POST)
    if not form.is_valid():
        return _refuse(request, found, "That was no choice of the form. No token was issued.")
    wanted: dict[str, Any] = form.cleaned_data
    if wanted["newest"] != newest_of(found):
        return _refuse(
            request,
            found,
            "Another token was issued since you opened the page, so this one was not."
            " A token is shown once: if the other one is lost, issue one now.",
        )
    changeover = timedelta(seconds=wanted["changeover"])
    former = sum(each.lets_in for each in tokens_of(found))
    token, text = rotate(found, changeover, timezone.now(), label=wanted["label"])
    ends = dict(CHANGEOVERS)[wanted["changeover"]]
    note_change(request, found, f"Rotated: issued {token}, the former tokens end {ends}.")
    context = {
        "found": found,
        "token": token,
        "text": text,
        "former": former,
        "ends": ends,
        "snippets": snippets(hub_url(request), found, device_present(found).values, text),
    }
    return render(request, "dashboards/device/token.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(REVOKE)
def revoke_token(request: HttpRequest, uid: str, token_id: int) -> HttpResponse:
    """Ask whether it is meant, and revoke the token when told so."""
    found = get_object_or_404(Device, uid=uid)
    token = found.tokens.filter(pk=token_id, revoked_at=None).first()
    if token is None:
        raise Http404("no such token, or it is revoked already")
    if request.method == "POST":
        revoke(token, timezone.now())
        note_change(request, found, f"Revoked the token {token}.")
        messages.success(request, f"The token {token} is revoked, and its connection closed.")
        return redirect("device", uid)
    context = {"found": found, "token": token, "state": state_of(token, timezone.now())}
    return render(request, "dashboards/device/revoke.html", context)


def _refuse(request: HttpRequest, found: Device, why: str) -> HttpResponse:
    messages.error(request, why)
    return redirect("device", found.uid)
