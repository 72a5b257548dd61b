"""What the device page offers beside looking, as far as whoever asks may use it."""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone

from dashboards.live.present import DevicePresent
from dashboards.pages.context import hub_url
from dashboards.pages.credentials import CHANGEOVER_DEFAULT, CHANGEOVERS, newest_of, tokens_of
from dashboards.pages.permission import may
from dashboards.pages.snippets import example, snippets
from devices.models import Device
from devices.roles import BANDS, DELETE, RESET, REVOKE, ROTATE, TOKENS, TRY

OFFERED: Final = {
    "see_tokens": TOKENS,
    "rotate": ROTATE,
    "revoke": REVOKE,
    "try_it": TRY,
    "band": BANDS,
    "reset": RESET,
    "delete": DELETE,
}


def operate_context(request: HttpRequest, found: Device, present: DevicePresent) -> dict[str, Any]:
    """For `dashboards/device/operate.html`; what is not permitted is not read either."""
    offered = may(request, **OFFERED)
    sees_tokens = offered["see_tokens"] or offered["rotate"] or offered["revoke"]
    changes_series = offered["band"] or offered["reset"]
    return {
        "may": offered,
        "sees_tokens": sees_tokens,
        "tokens": tokens_of(found) if sees_tokens else [],
        "zone": timezone.get_current_timezone_name(),
        "newest": newest_of(found) if offered["rotate"] else 0,
        "changeovers": CHANGEOVERS,
        "changeover_default": CHANGEOVER_DEFAULT,
        "snippets": snippets(hub_url(request), found, present.values),
        "try_text": json.dumps({"values": example(present.values)}, indent=2, ensure_ascii=False),
        "changed_series": found.series.order_by("metric") if changes_series else [],
    }
