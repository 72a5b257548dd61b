"""Whether those who look still may: asked for all of them at once, every few seconds.

A socket outlives the request that its login was checked at. Who logged out, was deactivated,
changed the password, whose session ended or who may no longer look is shown out by every hub, each
by itself: no layer is needed for it. Knows nothing of what they look at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, close_old_connections
from django.utils.crypto import constant_time_compare

from devices.roles import LOOK

logger = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 500  # three queries for each so many: SQLite takes 999 values in one


class Ended(StrEnum):
    """Why somebody may not look, by the code that is told."""

    NOT_LOGGED_IN = "not_logged_in"
    NOT_PERMITTED = "not_permitted"


@dataclass(frozen=True, slots=True)
class Login:
    """A browser's login, as it was when its socket opened."""

    session_key: str
    user_id: int
    auth_hash: str  # of the password: another one is another login

    @classmethod
    def of(cls, session: Any, user: Any) -> Login:
        return cls(session.session_key, user.pk, session[HASH_SESSION_KEY])


class Viewer(Protocol):
    """A socket that a login opened."""

    login: Login

    def show_out(self, why: Ended) -> None:
        """Close: it may not look any longer. Called on the event loop."""


class Logins:
    """The logins of all sockets of this process; looked at again every `interval_s`."""

    def __init__(
        self, interval_s: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._interval_s = interval_s
        self._now = now
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="weir-logins")
        self._viewers: dict[Login, set[Viewer]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="weir-logins")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def enter(self, viewer: Viewer) -> None:
        self._viewers.setdefault(viewer.login, set()).add(viewer)

    def leave(self, viewer: Viewer) -> None:
        viewers = self._viewers[viewer.login]
        viewers.discard(viewer)
        if not viewers:
            del self._viewers[viewer.login]

    async def look(self) -> None:
        """Show out whoever may not look any longer. Raises DatabaseError."""
        inside = list(self._viewers)
        loop = asyncio.get_running_loop()
        for start in range(0, len(inside), MOST_AT_ONCE):
            some = inside[start : start + MOST_AT_ONCE]
            ended = await loop.run_in_executor(self._executor, self._ended, some)
            for login, why in ended.items():
                for viewer in list(self._viewers.get(login, ())):
                    viewer.show_out(why)

    def _ended(self, logins: Collection[Login]) -> dict[Login, Ended]:
        close_old_connections()
        return ended(logins, self._now())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.look()
            except DatabaseError:
                continue  # our trouble closes nobody
            except Exception:
                logger.exception("a bug in the watch over logins; it goes on")


def ended(logins: Collection[Login], now: datetime) -> dict[Login, Ended]:
    """Which of these logins may not look any longer, and why; three queries."""
    keys = [login.session_key for login in logins]
    live = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    sessions = set(live.values_list("session_key", flat=True))
    ids = {login.user_id for login in logins}
    users = User.objects.filter(pk__in=ids, is_active=True)
    hashes = {user.pk: user.get_session_auth_hash() for user in users}
    may_look = set(User.objects.with_perm(LOOK).filter(pk__in=ids).values_list("pk", flat=True))
    found: dict[Login, Ended] = {}
    for login in logins:
        if login.session_key not in sessions or not constant_time_compare(
            login.auth_hash, hashes.get(login.user_id, "")
        ):
            found[login] = Ended.NOT_LOGGED_IN
        elif login.user_id not in may_look:
            found[login] = Ended.NOT_PERMITTED
    return found
