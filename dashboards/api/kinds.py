"""`/api/v1/problems/…`: where the `type` of a problem leads to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from dashboards.api.answers import answer
from dashboards.api.parameters import refuse_unknown
from dashboards.api.problems import KINDS, TYPES, not_found
from dashboards.api.schemas import KindOut

router = Router(tags=["Problems"])


@router.get(
    "/problems/{kind}", auth=None, response=KindOut, summary="A kind of problem", url_name="problem"
)
def kind(request: HttpRequest, kind: str) -> HttpResponse:
    """What the `type` of a problem means. Nobody has to log in to be told."""
    refuse_unknown(request)
    if kind not in KINDS:
        raise not_found(f"There is no kind of problem {kind}.", "kind")
    status, title, meaning = KINDS[kind]
    return answer({"type": TYPES + kind, "title": title, "status": status, "meaning": meaning})
