"""An export as the parts that are sent, and at their end the word that it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from dashboards.export.chunks import chunks
from dashboards.export.formats import Format
from dashboards.export.runs import ExportedSeries
from dashboards.timespan import Span


def parts(form: Format, batches: Iterable[Sequence[ExportedSeries]], span: Span) -> Iterator[bytes]:
    """Some of them empty. The last one, a line of its own, says how many readings there were
    before it, and the SHA-256 of every byte before it.
    """
    rows, sum_ = 0, hashlib.sha256()
    head = form.head
    for runs in chunks(batches, span):
        part = (head + "".join(map(form.lines, runs))).encode()
        sum_.update(part)
        rows += sum(len(run.rows) for run in runs)
        head = ""
        yield part
    if head:
        sum_.update(head.encode())
    yield (head + form.end(rows, sum_.hexdigest())).encode()
