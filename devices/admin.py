"""Devices and their tokens in the admin.

A token's text is shown once, on the page that issues it, and is kept nowhere. Series are in
`ingest.admin`, because what is done to them is done to their readings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from devices.fleet import TooManyDevices, look_for_room
from devices.models import Device, Retention, Token
from devices.rotation import revoke, state_of
from devices.tokens import issue

admin.site.site_header = "Weir"
admin.site.site_title = "Weir"
admin.site.index_title = "Devices and readings"


class TagsField(forms.CharField):
    """A list of tags as people write one: separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        parts = (part.strip() for part in str(value or "").split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(self.prepare_value(initial)) != self.to_python(data)


class DeviceForm(forms.ModelForm):
    tags = TagsField(required=False, help_text="Separated by commas: roof, north")

    class Meta:
        model = Device
        fields = ["uid", "name", "enabled", "tags", "expected_interval_s"]
        labels = {"expected_interval_s": "Expected interval (s)"}

    def clean(self) -> dict[str, Any] | None:
        if self.instance.pk is None:
            try:
                look_for_room(1)
            except TooManyDevices as error:
                raise ValidationError(str(error)) from None
        return super().clean()


class TokenForm(forms.ModelForm):
    class Meta:
        model = Token
        fields = ["label", "not_before", "expires_at"]
        widgets = {
            "not_before": forms.DateTimeInput(attrs={"type": "datetime-local"}),
            "expires_at": forms.DateTimeInput(attrs={"type": "datetime-local"}),
        }
        help_texts = {
            "label": "What it is for, so that you know it again.",
            "not_before": "From when it lets the device in; empty for at once.",
            "expires_at": "Until when; empty for ever.",
        }


class TokenInline(admin.TabularInline):
    model = Token
    extra = 0
    can_delete = False
    fields = ("prefix", "label", "state", "not_before", "expires_at", "last_used_at", "revoke")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("devices.view_device")

    @admin.display
    def state(self, token: Token) -> str:
        return state_of(token, timezone.now())

    @admin.display(description="")
    def revoke(self, token: Token) -> str | SafeString:
        if token.revoked_at is not None:
            return f"revoked {timezone.localtime(token.revoked_at):%Y-%m-%d %H:%M}"
        url = reverse("admin:devices_device_revoke_token", args=[token.device_id, token.pk])
        return format_html('<a href="{}">Revoke</a>', url)


class RetentionInline(admin.TabularInline):
    model = Retention
    extra = 0


class SeenFilter(admin.SimpleListFilter):
    title = "last seen"
    parameter_name = "seen"
    _WITHIN_H = {"hour": 1, "day": 24, "week": 168}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        within = [(name, f"Within the last {name}") for name in self._WITHIN_H]
        return [*within, ("never", "Never")]

    def queryset(self, request: HttpRequest, devices: QuerySet[Device]) -> QuerySet[Device]:
        value = self.value()
        if value == "never":
            return devices.filter(last_seen_at=None)
        if value in self._WITHIN_H:
            earliest = timezone.now() - timedelta(hours=self._WITHIN_H[value])
            return devices.filter(last_seen_at__gte=earliest)
        return devices


@admin.register(Device)
class DeviceAdmin(admin.ModelAdmin):
    form = DeviceForm
    inlines = [TokenInline, RetentionInline]
    list_display = ["uid", "name", "enabled", "tag_list", "series_count", "last_seen_at"]
    list_filter = ["enabled", SeenFilter]
    search_fields = ["uid", "name", "tags"]
    readonly_fields = ["created_at", "last_seen_at"]
    actions = ["enable", "disable"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).annotate(series_number=Count("series"))

    @admin.display(description="tags")
    def tag_list(self, device: Device) -> str:
        return ", ".join(map(str, device.tags))

    @admin.display(description="series", ordering="series_number")
    def series_count(self, device: Any) -> int:
        return int(device.series_number)

    @admin.action(description="Enable selected devices", permissions=["change"])
    def enable(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        self.message_user(request, f"{_switch(devices, True)} devices are enabled.")

    @admin.action(description="Disable selected devices", permissions=["change"])
    def disable(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        self.message_user(
            request, f"{_switch(devices, False)} devices are disabled, and closed if connected."
        )

    def response_add(
        self, request: HttpRequest, obj: Device, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A device without a token cannot speak: issue its first one next."""
        if "_addanother" in request.POST or "_continue" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, f"{obj} is added. Issue its first token now.")
        return HttpResponseRedirect(reverse("admin:devices_device_issue_token", args=[obj.pk]))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Counts instead of a list: a device may own thousands of rows, and all go with it."""
        chosen = [device.pk for device in objs]
        listed = [f"{device.uid}, with all its readings" for device in objs]
        counts = {"devices": len(chosen)} | _owned(chosen)
        return listed, counts, set(), []

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<path:object_id>/tokens/issue/",
                self.admin_site.admin_view(never_cache(self.issue_token)),
                name="devices_device_issue_token",
            ),
            path(
                "<path:object_id>/tokens/<int:token_id>/revoke/",
                self.admin_site.admin_view(self.revoke_token),
                name="devices_device_revoke_token",
            ),
        ]
        return [*own, *super().get_urls()]

    def issue_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        device = self._to_change(request, object_id)
        form = TokenForm(request.POST or None)
        text = ""
        if request.method == "POST" and form.is_valid():
            _, text = issue(device, **form.cleaned_data)
            self.log_change(request, device, "Issued a token.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Token of {device}" if text else f"Issue a token to {device}",
            "opts": self.opts,
            "device": device,
            "form": form,
            "token": text,
        }
        return TemplateResponse(request, "admin/devices/device/issue_token.html", context)

    def revoke_token(self, request: HttpRequest, object_id: str, token_id: int) -> HttpResponse:
        device = self._to_change(request, object_id)
        token = device.tokens.filter(pk=token_id, revoked_at=None).first()
        if token is None:
            raise Http404("no such token, or it is revoked already")
        if request.method == "POST":
            revoke(token, timezone.now())
            self.log_change(request, device, f"Revoked the token {token.prefix}….")
            self.message_user(
                request,
                f"The token {token} is revoked; its connection is closed.",
                messages.WARNING,
            )
            return HttpResponseRedirect(reverse("admin:devices_device_change", args=[device.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke a token of {device}",
            "opts": self.opts,
            "device": device,
            "token": token,
            "state": state_of(token, timezone.now()),
        }
        return TemplateResponse(request, "admin/devices/device/revoke_token.html", context)

    def _to_change(self, request: HttpRequest, object_id: str) -> Device:
        device = self.get_object(request, unquote(object_id))
        if device is None:
            raise Http404("no such device")
        if not self.has_change_permission(request, device):
            raise PermissionDenied
        return device


@admin.register(Retention)
class RetentionAdmin(admin.ModelAdmin):
    """What `manage.py prune` goes by, the next time that it is run."""

    list_display = ["__str__", "readings_days", "minutes_days", "hours_days"]
    list_select_related = ["device"]
    search_fields = ["device__uid", "device__name", "metric"]
    autocomplete_fields = ["device"]


def _switch(devices: QuerySet[Device], enabled: bool) -> int:
    return Device.objects.filter(pk__in=devices.values("pk")).update(enabled=enabled)


def _owned(devices: Iterable[int]) -> dict[str, int]:
    """How many rows of each model go with these devices."""
    counts = {}
    for relation in Device._meta.related_objects:
        model: type[Model] = relation.related_model
        owned = model._default_manager.filter(**{f"{relation.field.name}__in": list(devices)})
        counts[str(model._meta.verbose_name_plural)] = owned.count()
    return counts
