"""What the line stored, in the admin: series with what can be erased of them, refusals, streams."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from devices.models import Kind, Series
from ingest.erasure import erase_span
from ingest.horizons import with_readings
from ingest.models import RefusedReading, Rollup, Stream, TextReading


class SpanForm(forms.Form):
    """A span of time in the hub's own time zone."""

    start = forms.DateTimeField(
        label="From", widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "any"})
    )
    end = forms.DateTimeField(
        label="Up to", widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "any"})
    )

    def clean(self) -> dict[str, Any]:
        span = super().clean() or {}
        if "start" in span and "end" in span and span["start"] >= span["end"]:
            raise forms.ValidationError("The span ends before it begins.")
        return span


class SeriesChangeList(ChangeList):
    """Adds to each series on the page what its rollups say, in one query for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        series = list(self.result_list)
        sealed = _sealed([each.pk for each in series])
        for each in series:
            each.sealed, each.latest = sealed.get(each.pk, (0, None))
        self.result_list = series


@admin.register(Series)
class SeriesAdmin(admin.ModelAdmin):
    list_display = ["metric", "device", "kind", "sealed_count", "latest_time"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["device"]
    search_fields = ["metric", "device__uid", "device__name"]
    search_help_text = "Search by metric, or by the device's uid or name."
    # Its first reading makes a series, and sets its kind: only what is for people can be changed.
    readonly_fields = ("device", "metric", "kind", "readings_stored", "created_at")
    fields = ("device", "metric", "kind", "unit", "low", "high", "readings_stored", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SeriesChangeList

    @admin.display(description="readings sealed")
    def sealed_count(self, series: Any) -> str:
        return f"{series.sealed:,}"

    @admin.display(description="latest sealed")
    def latest_time(self, series: Any) -> datetime | None:
        latest: datetime | None = series.latest
        return latest

    @admin.display(description="readings")
    def readings_stored(self, series: Series) -> str:
        stored = series.text_readings if series.kind == Kind.TEXT else series.readings
        return f"{stored.count():,}"

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        series = list(objs)
        listed = [
            f"{each}, with all its readings; its next reading sets its kind anew" for each in series
        ]
        readings = sum(sealed for sealed, _ in _sealed([each.pk for each in series]).values())
        return listed, {"series": len(series), "readings sealed": readings}, set(), []

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.erase_span)
        own = path("<path:object_id>/erase/", view, name="devices_series_erase_span")
        return [own, *super().get_urls()]

    def erase_span(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a span, say how many readings it holds, and erase it when told so again."""
        series = self.get_object(request, unquote(object_id))
        if series is None:
            raise Http404("no such series")
        if not self.has_delete_permission(request, series):
            raise PermissionDenied
        form = SpanForm(request.POST or None)
        readings = None
        if request.method == "POST" and form.is_valid():
            span = form.cleaned_data["start"], form.cleaned_data["end"]
            if "confirmed" in request.POST:
                return self._erase(request, series, span)
            stored = series.text_readings if series.kind == Kind.TEXT else series.readings
            readings = stored.filter(time__gte=span[0], time__lt=span[1]).count()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Erase a span of {series}",
            "opts": self.opts,
            "series": series,
            "form": form,
            "readings": readings,
            "zone": timezone.get_current_timezone_name(),
        }
        return TemplateResponse(request, "admin/devices/series/erase_span.html", context)

    def _erase(
        self, request: HttpRequest, series: Series, span: tuple[datetime, datetime]
    ) -> HttpResponse:
        erased = erase_span(series, *span)
        start, end = (moment.astimezone(UTC).isoformat() for moment in span)
        self.log_change(request, series, f"Erased {erased} readings from {start} up to {end}.")
        self.message_user(request, f"{erased:,} readings of {series} are erased.")
        return HttpResponseRedirect(reverse("admin:devices_series_change", args=[series.pk]))


class ReadOnlyAdmin(admin.ModelAdmin):
    """What the hub wrote down for people to see, and nobody changes."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(RefusedReading)
class RefusedReadingAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "device", "metric", "code", "message", "value", "count"]
    list_filter = ["code", "received_at"]
    list_select_related = ["device"]
    search_fields = ["device__uid", "device__name", "metric", "value"]


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ["device", "name", "committed", "stored", "duplicate", "rejected", "lost"]
    list_display += ["used_at"]
    list_select_related = ["device"]
    search_fields = ["device__uid", "device__name", "name"]
    ordering = ["-used_at"]


def _sealed(series: list[int]) -> dict[int, tuple[int, datetime | None]]:
    """Readings sealed and their latest time, by series; of texts, which have no rollups, all."""
    kept = with_readings(Rollup.objects.filter(series__in=series, step_s=Rollup.HOUR_S))
    hours = kept.values_list("series")
    texts = TextReading.objects.filter(series__in=series).values_list("series")
    rows: list[QuerySet[Any, Any]] = [
        hours.annotate(readings=Sum("count"), latest=Max("last_time")).order_by(),
        texts.annotate(readings=Count("time"), latest=Max("time")).order_by(),
    ]
    return {number: (readings, latest) for each in rows for number, readings, latest in each}
