"""What a reader may see: all devices, or some by their uid and their tags. Pure.

Written as people write it: `device:roof`, `tag:north`. A device is seen where one of them fits it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from devices.models import UID_PATTERN

# Each is a parameter of every query that its reader makes.
MOST: Final = 100
TAG_CHARACTERS: Final = 100


class NoScope(ValueError):
    """What is wrong with a scope, in a sentence."""


@dataclass(frozen=True, slots=True)
class ReadScope:
    """Devices by uid, and by tag; neither is every device."""

    devices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[str]) -> Self:
        """The scope that `parts` name together. Raises NoScope."""
        named: dict[str, list[str]] = {"device": [], "tag": []}
        for part in dict.fromkeys(parts):
            kind, colon, name = part.partition(":")
            if not colon or kind not in named or not name.strip() or "\0" in name:
                raise NoScope(f"{part!r} is neither device:UID nor tag:TAG.")
            if kind == "device" and not re.match(UID_PATTERN, name):
                raise NoScope(f"{name!r} cannot be the uid of a device.")
            if len(name) > TAG_CHARACTERS:
                raise NoScope(f"{name!r} is longer than {TAG_CHARACTERS} characters.")
            named[kind].append(name)
        if sum(map(len, named.values())) > MOST:
            raise NoScope(f"A scope has at most {MOST} parts.")
        return cls(tuple(named["device"]), tuple(named["tag"]))

    @property
    def is_everything(self) -> bool:
        return not self.devices and not self.tags

    def parts(self) -> list[str]:
        return [f"device:{uid}" for uid in self.devices] + [f"tag:{tag}" for tag in self.tags]
