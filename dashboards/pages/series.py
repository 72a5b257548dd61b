"""One series on a page of its own: its unit and its band, for people, and the way to reset it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from dashboards import extent
from dashboards.pages.journal import note_change, note_deletion
from dashboards.pages.permission import may, needs
from dashboards.pages.wording import counted
from devices.models import Series
from devices.roles import BANDS, RESET
from ingest.erasure import erase_series


class BandForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the stubs alone
    class Meta:
        model = Series
        fields = ["unit", "low", "high"]
        labels = {"low": "Lowest", "high": "Highest"}
        help_texts = {
            "unit": "As it is shown beside a value: °C, %, hPa.",
            "low": "A value below it is out of its band. Empty: no such value.",
            "high": "A value above it is out of its band. Empty: no such value.",
        }


@require_http_methods(["GET", "HEAD", "POST"])
@needs(BANDS)
def series(request: HttpRequest, uid: str, series_id: int) -> HttpResponse:
    """A form for what people may say of a series."""
    found = _found(uid, series_id)
    form = BandForm(request.POST or None, instance=found, label_suffix="")
    if request.method == "POST" and form.is_valid():
        changed = ", ".join(form.changed_data)
        if changed:
            form.save()
            note_change(request, found, f"Changed {changed}.")
        messages.success(request, f"Unit and band of {found.metric} are saved.")
        return redirect("device", uid)
    context = {
        "found": found.device,
        "series": found,
        "form": form,
        "may": may(request, reset=RESET),
    }
    return render(request, "dashboards/device/series.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RESET)
def reset_series(request: HttpRequest, uid: str, series_id: int) -> HttpResponse:
    """Say how much would go, and forget the series with its readings when told so."""
    found = _found(uid, series_id)
    readings = counted(extent.readings_of_series(found), "reading")
    if request.method == "POST":
        note_deletion(request, found, f"Reset, with {readings}.")
        erase_series(found)
        messages.success(request, f"{found.metric} is reset, and {readings} deleted.")
        return redirect("device", uid)
    context = {"found": found.device, "series": found, "readings": readings}
    return render(request, "dashboards/device/reset.html", context)


def _found(uid: str, series_id: int) -> Series:
    known = Series.objects.select_related("device")
    return get_object_or_404(known, device__uid=uid, pk=series_id)
