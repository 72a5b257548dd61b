"""Who looks at the board: viewers, and the audience of each selection, which share what is made.

    present ──changes, once a tick──▶ audiences ──changed, removed──▶ viewers

What changes while a viewer has an update in flight is merged into its next. Knows nothing of
sockets, clocks or the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from dashboards.live.lines import Charting
from dashboards.live.present import Changes, Present
from dashboards.live.selection import Selection
from dashboards.live.subscription import Subscription

NOBODY: frozenset[str] = frozenset()


class Viewer:
    """One dashboard's place on the board: what it asked for, and what changed since its update."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        """Set when there is something to send it."""
        self.asked: Subscription | None = None
        """What no snapshot has answered yet."""
        self.audience: Audience | None = None
        self.interval_s = 0.0
        """It wants no updates sooner; 0: as fast as they come."""
        self.sent_s = 0.0
        self.changed = NOBODY
        self.removed = NOBODY
        self.charting = Charting()

    def forget_changes(self) -> None:
        self.changed = self.removed = NOBODY
        self.wake.clear()

    def merge(self, changed: frozenset[str], removed: frozenset[str]) -> bool:
        """Take a tick's changes; whether it still had some, which are merged with these."""
        had = bool(self.changed)
        mine = self.changed | changed if had else changed
        self.changed = mine - removed if removed else mine
        self.removed = (self.removed - changed) | removed if self.removed else removed
        return had


class Audience:
    """All viewers of one selection. A set of fragments is joined once for those who share it."""

    def __init__(self, selection: Selection, present: Present) -> None:
        self.selection = selection
        self.viewers: set[Viewer] = set()
        self._present = present
        self._members: set[str] = set()
        if not selection.is_all:
            self._members = {uid for uid in present.uids() if self._has(uid)}
        self._cut: dict[str, str] = {}
        self._joined: tuple[frozenset[str], str] = (NOBODY, "")
        self._whole: str | None = None

    def take(self, changes: Changes) -> tuple[frozenset[str], frozenset[str]]:
        """Which devices of a tick's changes concern it, and which it no longer sees."""
        self._whole = None
        for uid in changes.changed if self._cut else ():
            self._cut.pop(uid, None)
        if self.selection.is_all:
            return changes.changed, changes.removed
        left = {uid for uid in changes.renamed & self._members if not self._has(uid)}
        gone = (changes.removed & self._members) | left
        self._members |= {uid for uid in changes.renamed if self._has(uid)}
        self._members -= gone
        return changes.changed & self._members, gone

    def whole(self) -> str:
        """The fragments of all it looks at."""
        if self._whole is None:
            uids = self._present.uids() if self.selection.is_all else sorted(self._members)
            self._whole = self._join(uids)
        return self._whole

    def joined(self, uids: frozenset[str]) -> str:
        """The fragments of `uids`. Viewers that keep up share one set, and so one text."""
        if uids is not self._joined[0]:
            self._joined = (uids, self._join(uids))
        return self._joined[1]

    def _join(self, uids: frozenset[str] | list[str]) -> str:
        found = (self._fragment(uid) for uid in uids)
        return ",".join(fragment for fragment in found if fragment is not None)

    def _fragment(self, uid: str) -> str | None:
        metrics = self.selection.metrics
        if metrics is None:
            return self._present.fragment(uid)
        fragment = self._cut.get(uid)
        if fragment is None and (made := self._present.cut_fragment(uid, metrics)) is not None:
            fragment = self._cut[uid] = made
        return fragment

    def _has(self, uid: str) -> bool:
        return self.selection.has(uid, self._present.searched(uid))


class Audiences:
    """One for each selection that anybody looks at."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._audiences: dict[Selection, Audience] = {}

    def __iter__(self) -> Iterator[Audience]:
        return iter(self._audiences.values())

    def enter(self, viewer: Viewer, selection: Selection) -> Audience:
        """Have the viewer look at `selection`, and no longer at what it looked at."""
        self.leave(viewer)
        audience = self._audiences.get(selection)
        if audience is None:
            audience = self._audiences[selection] = Audience(selection, self._present)
        audience.viewers.add(viewer)
        viewer.audience = audience
        return audience

    def leave(self, viewer: Viewer) -> None:
        audience, viewer.audience = viewer.audience, None
        if audience is not None:
            audience.viewers.discard(viewer)
            if not audience.viewers:
                del self._audiences[audience.selection]
