"""`/api/v1/export.csv` and `/api/v1/export.ndjson`, through the same door as the rest of the API.

What is asked is looked at in Django's thread; the readings are read in the export's own, and only
as fast as the receiver takes them: the server's `send` waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import Gauge

from dashboards.access import reader_of
from dashboards.api.door import door
from dashboards.api.problems import Problem, problem_of
from dashboards.export.formats import Csv, Format, Ndjson
from dashboards.export.parts import parts
from dashboards.export.selection import batches, selected, span_asked
from dashboards.export.stream import Stream
from ingest.metrics import BOUNDS_MET

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]

UNDER_WAY: Final = Gauge("weir_exports", "Exports under way")
RETRY_AFTER_S: Final = 10
FORMATS: Final = (Csv(), Ndjson())


class Exports:
    """The exports of one process, at most so many at once."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    @property
    def urlpatterns(self) -> list[URLPattern]:
        return [path(f"api/v1/export.{form.suffix}", self._view(form)) for form in FORMATS]

    def _view(self, form: Format) -> View:
        def asked(request: HttpRequest) -> HttpResponseBase:
            return self._asked(request, form)

        @csrf_exempt
        async def export(request: HttpRequest) -> HttpResponseBase:
            response = await sync_to_async(door(asked))(request)
            return await begun(response, request.method == "HEAD")

        return export

    def _asked(self, request: HttpRequest, form: Format) -> ExportResponse:
        reader, now = reader_of(request), datetime.now(UTC)
        chosen, span = selected(request.GET, reader), span_asked(request.GET, now)
        if not self._places.acquire(blocking=False):
            BOUNDS_MET.labels("exports").inc()
            raise Problem(
                "too-many-exports",
                "As many exports are under way as the hub makes at once.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        UNDER_WAY.inc()
        stream = Stream(parts(form, batches(chosen), span), self._leave)
        return ExportResponse(stream, form, now)

    def _leave(self) -> None:
        UNDER_WAY.dec()
        self._places.release()


class ExportResponse(StreamingHttpResponse):
    """An export on its way. Django closes the `stream` with it."""

    def __init__(self, stream: Stream, form: Format, now: datetime) -> None:
        name = f"readings-{now:%Y%m%dT%H%M%SZ}.{form.suffix}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        }
        super().__init__(stream, content_type=form.content_type, headers=headers)
        self.stream = stream


async def begun(response: HttpResponseBase, headers_alone: bool) -> HttpResponseBase:
    """`response`, or the problem that its first part has met."""
    if not isinstance(response, ExportResponse):
        return response
    if headers_alone:
        response.stream.close()
        return response
    try:
        await response.stream.begin()
    except Exception as error:
        return problem_of(error).answer()
    return response
