"""One line of the log for each device connection that the hub ended: whose it was, and why.

Who leaves by himself has no line, and at the hub's end the one of the hub stands for all. A device
that comes back only to be closed again has few a minute: the log cannot be filled with it, and
`weir_closed_total` counts them all. Nothing that was said on the connection is in it.
"""

from __future__ import annotations

import logging
from typing import Final

from devices.tokens import Bearer
from ingest.close import Close
from ingest.failures import Allowances, network_of

logger = logging.getLogger(__name__)

LINES_PER_MIN: Final = 10  # of a device, and of an address that shows no token that lets in


class Endings:
    """See the module. On the event loop."""

    def __init__(self, per_min: int = LINES_PER_MIN) -> None:
        self._allowances = Allowances(per_min)

    def closed(self, bearer: Bearer | None, address: str, close: Close, now_s: float) -> None:
        """With an `error` of the protocol."""
        why = f"{close.closes} {close.code}, {close.message}"
        self._tell(bearer, address, why, {"close": close.closes, "code": close.code}, now_s)

    def cut(self, bearer: Bearer | None, address: str, why: str, now_s: float) -> None:
        """By the server, which knows WebSockets and no protocol; in its words, the first a code."""
        self._tell(bearer, address, f"cut, {why}", {"code": why.partition(" ")[0]}, now_s)

    def _tell(
        self,
        bearer: Bearer | None,
        address: str,
        why: str,
        fields: dict[str, object],
        now_s: float,
    ) -> None:
        payer = f"device {bearer.device_id}" if bearer else network_of(address)
        if self._allowances.wait_s(payer, now_s):
            return
        self._allowances.spend(payer, now_s)
        if bearer is not None:
            fields["device"] = bearer.uid
        whose = f"device {bearer.uid}" if bearer else "a connection that was not let in"
        fields["address"] = address
        logger.info("closed %s from %s: %s", whose, address, why, extra=fields)
