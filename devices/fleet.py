"""Adds many devices at once and writes their tokens to a file that only its owner can read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.db import transaction
from prometheus_client import Counter

from devices.models import Device, Token
from devices.tokens import draw

# Below every engine's bound on the parameters of one query (SQLite: 32,766; some builds 999).
_LOOKED_UP = 900

# Of the process that has it on its `/metrics`: what the admin refused, not what a command did.
REFUSED = Counter("weir_devices_refused", "Devices that were not added, for there are enough")


class TooManyDevices(Exception):
    """There would be more than WEIR_DEVICES; its text says so, in a sentence."""


def look_for_room(added: int) -> None:
    """Raises TooManyDevices where so many more would be too many."""
    most, present = settings.OPTIONS.devices, Device.objects.count()
    if present + added > most:
        REFUSED.inc(added)
        raise TooManyDevices(
            f"The hub has {present:,} of at most {most:,} devices, and no room for {added:,} more:"
            " raise WEIR_DEVICES, or delete some."
        )


def open_tokens(path: Path) -> TextIO:
    """The file of tokens, to append to, readable by its owner alone. OSError if it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8")


def give_tokens(devices: Sequence[Device]) -> tuple[list[str], dict[str, str]]:
    """Store those of `devices` that are missing and a new token for each of them, or nothing.

    Returns the uids that were missing, and each uid's token. Devices that exist stay as they are.
    Raises TooManyDevices.
    """
    with transaction.atomic():
        existing = _ids([device.uid for device in devices])
        added = [device.uid for device in devices if device.uid not in existing]
        if added:
            look_for_room(len(added))
        Device.objects.bulk_create(device for device in devices if device.uid not in existing)
        ids = existing | _ids(added)
        drawn = {device.uid: draw(Device(id=ids[device.uid])) for device in devices}
        Token.objects.bulk_create(token for token, _ in drawn.values())
    return added, {uid: text for uid, (_, text) in drawn.items()}


def append_tokens(file: TextIO, tokens: dict[str, str]) -> None:
    """One JSON object a line: `{"uid": …, "token": …}`."""
    file.writelines(json.dumps({"uid": uid, "token": text}) + "\n" for uid, text in tokens.items())
    file.flush()


def _ids(uids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(uids), _LOOKED_UP):
        some = uids[start : start + _LOOKED_UP]
        found.update(Device.objects.filter(uid__in=some).values_list("uid", "id"))
    return found
