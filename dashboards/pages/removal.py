"""Deleting a device from its page, with all it sent: only where its uid is typed once more."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from dashboards import extent
from dashboards.pages.journal import note_deletion
from dashboards.pages.permission import needs
from dashboards.pages.wording import counted
from devices.models import Device
from devices.roles import DELETE
from ingest.erasure import erase_device


class RemovalForm(forms.Form):
    """Takes the uid of the device and no other text."""

    typed = forms.CharField()

    def __init__(self, device: Device, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.uid = device.uid

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"] != self.uid:
            raise forms.ValidationError("That is not its uid. Nothing was deleted.")
        return self.uid


@require_http_methods(["GET", "HEAD", "POST"])
@needs(DELETE)
def delete_device(request: HttpRequest, uid: str) -> HttpResponse:
    found = get_object_or_404(Device, uid=uid)
    form = RemovalForm(found, request.POST or None)
    readings = extent.readings_of_device(found)
    if request.method == "POST" and form.is_valid():
        note_deletion(request, found, f"Deleted, with {counted(readings, 'reading')}.")
        erase_device(found)
        messages.success(request, f"{uid} is deleted, with {counted(readings, 'reading')}.")
        return redirect("fleet")
    context = {
        "found": found,
        "form": form,
        "readings": f"{readings:,}",
        "series": f"{found.series.count():,}",
        "tokens": f"{found.tokens.count():,}",
    }
    return render(request, "dashboards/device/delete.html", context)
