"""Writes down who changed what from a page, where the admin does: as the object's history there."""

from __future__ import annotations

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db.models import Model
from django.http import HttpRequest


def note_change(request: HttpRequest, changed: Model, said: str) -> None:
    _note(request, changed, CHANGE, said)


def note_deletion(request: HttpRequest, deleted: Model, said: str) -> None:
    """To be called while the object is still there."""
    _note(request, deleted, DELETION, said)


def _note(request: HttpRequest, noted: Model, flag: int, said: str) -> None:
    assert request.user.pk is not None  # pages are for those who are logged in
    LogEntry.objects.log_actions(request.user.pk, [noted], flag, said, single_object=True)
