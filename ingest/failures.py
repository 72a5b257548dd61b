"""How many wrong tokens an address may show, and which tokens need not be asked for again.

Beside the gate, which looks here before it asks the database. Knows no database and no clock.

A token that nobody knows is charged to the address it came from, once: shown again it is answered
from memory and costs nothing, so that one stuck device does not lock out its neighbours behind the
same address. A token that the database has known (admitted, or revoked, expired, not yet valid) is
charged to itself alone: an address that guesses keeps no device out that was let in before.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from enum import Enum, auto
from typing import Final, TypeVar

# Bounds of memory: about 2 MB together, whatever is tried. Beyond them the one least recently
# heard of is forgotten, and begins anew.
BUCKETS: Final = 10_000
PROVEN: Final = 10_000
WRONG: Final = 1_000
NAME_CHARACTERS: Final = 64  # of what is no address; those have fewer
# So long may a token that was added by hand after it was tried go on being refused.
WRONG_REMEMBERED_S: Final = 600.0

K = TypeVar("K")
V = TypeVar("V")


class Verdict(Enum):
    """What to do with a token that is shown."""

    ASK = auto()  # the database
    KNOWN_WRONG = auto()  # refuse it as before
    TOO_MANY = auto()  # refuse to look


class Allowances:
    """What each payer may spend: `per_min` at once, and as much again in each minute; 0: all."""

    def __init__(self, per_min: int) -> None:
        self._per_min = per_min
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # and when it was so

    def __len__(self) -> int:
        return len(self._left)

    def wait_s(self, payer: str, now_s: float) -> float:
        """0 where the payer may spend one more, else when it may."""
        lacking = 1 - self._left_of(payer, now_s)
        return max(0.0, lacking * 60 / max(1, self._per_min))

    def spend(self, payer: str, now_s: float, many: int = 1) -> None:
        """Less than nothing gives back what was spent for nothing."""
        _remember(self._left, payer, (self._left_of(payer, now_s) - many, now_s), BUCKETS)

    def _left_of(self, payer: str, now_s: float) -> float:
        if not self._per_min:
            return 1.0
        left, at_s = self._left.get(payer, (float(self._per_min), now_s))
        return min(float(self._per_min), left + max(0.0, now_s - at_s) * self._per_min / 60)


class FailedTokens:
    """Counts failures, and remembers whose they were."""

    def __init__(self, per_min: int) -> None:
        """0: without a limit."""
        self._allowances = Allowances(per_min)
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._wrong: OrderedDict[str, float] = OrderedDict()  # until when

    def look(self, digest: str, address: str, now_s: float) -> Verdict:
        """What to do with the token of this digest, shown from `address`."""
        if digest in self._proven:
            payer = digest
        elif self._wrong.get(digest, now_s) > now_s:
            self._wrong.move_to_end(digest)
            return Verdict.KNOWN_WRONG
        else:
            payer = network_of(address)
        return Verdict.TOO_MANY if self._allowances.wait_s(payer, now_s) else Verdict.ASK

    def admitted(self, digest: str) -> None:
        """The database knows this token."""
        _remember(self._proven, digest, None, PROVEN)

    def refused(self, digest: str, now_s: float) -> None:
        """The database knows this token, and it lets nobody in now."""
        self.admitted(digest)
        self._allowances.spend(digest, now_s)

    def wrong(self, digest: str, address: str, now_s: float) -> None:
        """Nobody knows this token."""
        self._proven.pop(digest, None)  # its device may have been deleted
        _remember(self._wrong, digest, now_s + WRONG_REMEMBERED_S, WRONG)
        self._allowances.spend(network_of(address), now_s)

    def retry_after_s(self, digest: str, address: str, now_s: float) -> float:
        """When the next failure would be looked at."""
        payer = digest if digest in self._proven else network_of(address)
        return self._allowances.wait_s(payer, now_s)


def network_of(address: str) -> str:
    """What is held responsible for an address: itself, or of IPv6 the /64 that one customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:NAME_CHARACTERS]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def _remember(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
