"""Who reads, and which devices they may see: what the HTTP API and the export ask first.

A person comes with the session of a login, a program with a read token. What is out of a reader's
scope is as if it were not there: everything that is read begins with `Reader.devices` or
`Reader.series`. Knows the request, and nothing of addresses and answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from dashboards.readgate import read_gate_of
from dashboards.readscope import NoScope, ReadScope
from dashboards.readtokens import ReadTokenRefused
from devices import tokens
from devices.models import Device, Series
from devices.roles import LOOK
from devices.tagged import has_any_tag
from ingest.gate import TooManyFailures

EVERYTHING: Final = ReadScope()

HOW: Final = f"Log in, or send Authorization: Bearer and a read token ({tokens.READ}…)."


class Refused(Exception):
    """This request reads nothing: an HTTP `status` (401, 403, 429), and a sentence that says why.

    `token_error` where a token was shown that is none; `retry_after_s` where it may come again.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        token_error: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.token_error = token_error
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may read what is in `scope`, and nothing else."""

    scope: ReadScope

    def devices(self) -> QuerySet[Device]:
        """The devices that there are, for this reader."""
        if self.scope.is_everything:
            return Device.objects.all()
        return Device.objects.filter(self._fits(""))

    def series(self) -> QuerySet[Series]:
        """The series of those devices."""
        if self.scope.is_everything:
            return Series.objects.all()
        return Series.objects.filter(self._fits("device__"))

    def _fits(self, device: str) -> Q:
        """A device of the scope; `device` is the way to it."""
        named = Q(**{f"{device}uid__in": self.scope.devices})
        return named | has_any_tag(f"{device}tags", self.scope.tags)


def reader_of(request: HttpRequest) -> Reader:
    """Who reads by this request. Raises Refused.

    A token that is shown counts, whoever is logged in: it may be meant to see less.
    """
    return token_reader(request) or session_reader(request)


def token_reader(request: HttpRequest) -> Reader | None:
    """Who reads by the token in the Authorization header; None where there is no such header.

    Raises Refused.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Refused(401, HOW)
    try:
        token = read_gate_of(request).admit(text.strip(), request.META.get("REMOTE_ADDR") or "")
    except ReadTokenRefused as refused:
        raise Refused(401, str(refused), token_error=True) from None
    except TooManyFailures as failures:
        wait_s = ceil(failures.retry_after_ms / 1_000)
        sentence = f"Too many wrong tokens came from your address. Try again in {wait_s} s."
        raise Refused(429, sentence, retry_after_s=wait_s) from None
    try:
        return Reader(ReadScope.of(token.scope))
    except NoScope:  # written by another program
        raise Refused(401, "This read token's scope cannot be read.", token_error=True) from None


def session_reader(request: HttpRequest) -> Reader:
    """Who reads by being logged in. Raises Refused."""
    if not request.user.is_authenticated:
        raise Refused(401, HOW)
    if not request.user.has_perm(LOOK):
        raise Refused(403, "Your login may not look at devices: ask who runs the hub.")
    return Reader(EVERYTHING)
