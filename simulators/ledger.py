"""The ledger: what the simulators attempted and what they were told, for `manage.py reconcile`.

A text file in UTF-8, one JSON object with one key a line. It is only ever appended to, and may
hold several runs: stream names are never used twice.

`{"frame": {"device", "stream", "seq", "sent_ms", "body"}}`
    Written and flushed before the frame is first given to a socket. `body` is the message verbatim
    (a text, itself JSON); `sent_ms` is the wall clock, Unix milliseconds. A frame sent again under
    the same stream and number is byte-identical and has no second line. `stream` is the name given
    in `hello`; on a plain connection it is `plain:` and a random name, one a connection (a colon
    cannot be in a stream's name), `body` has no `seq`, and `seq` counts the messages as the hub
    does, from 1.
`{"settled": {"device", "stream", "through", "stored", "duplicate", "rejected", "errors"}}`
    An ack: every frame of this stream up to `through` is settled. The three counts are readings
    settled since the last ack on this connection, so that they add up over the lines of a stream,
    `resumed` lines included (see there). `errors` is the ack's own list, verbatim: each has `seq`,
    `code`, often `sample`, `metric`, and `count` when it stands for a run of refusals;
    `"errors_truncated": true` when the list is not whole.
`{"resumed": {"device", "stream", "committed", "lost", "stored", "duplicate", "rejected", "news"}}`
    A `welcome`: every frame up to `committed` is settled, even if its ack never came. The three
    counts are the stream's totals since its beginning; `news` has the same three keys and is what
    no line of this stream told before: add `news`, not the totals. The refusals in `news` have
    no names here; the hub keeps them.
`{"dropped": {"device", "stream", "first", "last", "why"}}`
    The device gave up these frames: its spool was full (`spool full`), or it goes on under another
    stream name, which has frame lines of its own for the same readings (`renamed`). A frame that
    was not settled before this line has an unknown outcome: its readings may be stored or not, and
    neither is wrong; a later `settled` or `resumed` that covers it says nothing about it.
`{"set_aside": {"device", "stream", "seq"}}`
    The hub could not parse this frame, and its readings were not stored. The next frame line with
    the same stream and number, an empty one, replaces it.

So, for each reading in each `body`: *attempted* if it is in a frame line; *acked* if its frame was
settled (`settled` or `resumed`) and neither dropped nor set aside before; *rejected* if an error
names its `seq` and `sample` (and `metric`; without `sample` or `metric` all of the frame's or the
sample's), or if it is one of those counted in `rejected` that no error names. An acked reading that
was not rejected must be stored with its value; a stored one that no line attempted is a phantom.
A frame without a settling line is unknown: stored or not, both are right.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from simulators import Trouble
from simulators.notes import Dropped, Frame, Note, Outcome, Renamed, Resumed, SetAside, Settled


class Ledger:
    """Append to a ledger file. Lines wait in memory until `flush`, which must come before the
    frames they name are sent."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise Trouble(f"The ledger {path} cannot be written ({error.strerror}).") from None
        self._lines: list[bytes] = []

    def frame(self, device: str, stream: str, frame: Frame, sent_ms: int) -> None:
        self._lines.append(
            b'{"frame":{"device":"%b","stream":"%b","seq":%d,"sent_ms":%d,"body":%b}}\n'
            % (
                device.encode(),
                stream.encode(),
                frame.seq,
                sent_ms,
                orjson.dumps(frame.body.decode()),
            )
        )

    def note(self, device: str, note: Note) -> None:
        self._lines.append(orjson.dumps(_line(device, note)) + b"\n")

    def flush(self) -> None:
        """Hand everything to the operating system: it outlives this program, not the machine."""
        lines = b"".join(self._lines)
        self._lines.clear()
        while lines:
            lines = lines[os.write(self._fd, lines) :]

    def close(self) -> None:
        self.flush()
        os.close(self._fd)


def _line(device: str, note: Note) -> dict[str, dict[str, object]]:
    whose: dict[str, object] = {"device": device, "stream": note.stream}
    match note:
        case Settled():
            line = whose | {"through": note.through} | _counts(note.outcome)
            line["errors"] = note.errors
            return {"settled": line | ({"errors_truncated": True} if note.truncated else {})}
        case Resumed():
            line = whose | {"committed": note.committed, "lost": note.lost}
            return {"resumed": line | _counts(note.totals) | {"news": _counts(note.news)}}
        case Dropped():
            span = {"first": note.frame.seq, "last": note.frame.seq}
            return {"dropped": whose | span | {"why": "spool full"}}
        case Renamed():
            span = {"first": note.first, "last": note.last}
            return {"dropped": whose | span | {"why": "renamed"}}
        case SetAside():
            return {"set_aside": whose | {"seq": note.frame.seq}}


def _counts(outcome: Outcome) -> dict[str, object]:
    return dict(outcome._asdict())
