"""Read tokens in the admin. A token's text is shown once, on the page that issues it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from dashboards import readtokens
from dashboards.models import ReadToken
from dashboards.readscope import NoScope, ReadScope


class ScopeField(forms.CharField):
    """A scope as people write one: a part a line."""

    widget = forms.Textarea(attrs={"rows": 4, "placeholder": "device:roof\ntag:north"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        parts = [part.strip() for part in str(value or "").splitlines()]
        try:
            return ReadScope.of(part for part in parts if part).parts()
        except NoScope as error:
            raise ValidationError(str(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        lines = str(data or "").split()
        return list(initial or []) != lines


class ReadTokenForm(forms.ModelForm):
    scope = ScopeField(
        required=False,
        help_text="What it may read, a line each: device:UID or tag:TAG. Empty for everything.",
    )

    class Meta:
        model = ReadToken
        fields = ["label", "scope", "expires_at"]
        widgets = {"expires_at": forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")}
        help_texts = {
            "label": "What it is for, so that you know it again.",
            "expires_at": "Until when it lets read; empty for ever.",
        }


def state_of(token: ReadToken) -> str:
    """In one word, whether a token lets read now."""
    if token.revoked_at is not None:
        return "revoked"
    expired = token.expires_at is not None and token.expires_at <= timezone.now()
    return "expired" if expired else "valid"


@admin.register(ReadToken)
class ReadTokenAdmin(admin.ModelAdmin):
    form = ReadTokenForm
    list_display = ["label", "prefix", "scope_text", "state", "expires_at", "last_used_at"]
    search_fields = ["label", "prefix"]
    readonly_fields = ["prefix", "state", "created_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    def save_model(
        self, request: HttpRequest, obj: ReadToken, form: forms.ModelForm, change: bool
    ) -> None:
        text = None if change else readtokens.draw(obj)
        super().save_model(request, obj, form, change)
        request.shown_once = text  # type: ignore[attr-defined]  # for `response_add` alone

    def response_add(
        self, request: HttpRequest, obj: ReadToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page that shows the token, instead of the list."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Read token for {obj.label}",
            "opts": self.opts,
            "token": request.shown_once,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "admin/dashboards/readtoken/shown.html", context)
        add_never_cache_headers(response)
        return response

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.readonly_fields if obj else []

    @admin.display(description="may read")
    def scope_text(self, token: ReadToken) -> str:
        return ", ".join(map(str, token.scope)) or "everything"

    @admin.display
    def state(self, token: ReadToken) -> str:
        return state_of(token)

    @admin.action(description="Revoke selected read tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ReadToken]) -> None:
        many = tokens.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{many} read tokens are revoked.")
