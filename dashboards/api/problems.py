"""What the API says when it cannot answer: RFC 9457 problem details, one sentence each, never HTML.

`type` is an address of this hub that tells what the problem means.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, IntegrityError, NotSupportedError, ProgrammingError
from django.db import Error as DatabaseTrouble
from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import HttpError, ValidationError

from dashboards.access import Refused
from dashboards.timespan import NoSpan

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPES: Final = "/api/v1/problems/"
RETRY_AFTER_S: Final = 5  # of a database that does not answer: about as long as a hub's own writer
# Of a database these are our mistakes, not its trouble.
BUGS: Final = (ProgrammingError, DataError, IntegrityError, NotSupportedError)

# The last part of `type`: its status, its title, and what it means.
KINDS: Final[dict[str, tuple[int, str, str]]] = {
    "bad-request": (400, "Bad request", "The request is no request that the hub can read."),
    "not-authenticated": (401, "Not authenticated", "Nobody is logged in, and no token is shown."),
    "bad-token": (401, "Token refused", "The token that is shown lets nobody read."),
    "not-allowed": (
        403,
        "Not allowed",
        "Who is logged in lacks the permission to look at devices.",
    ),
    "not-found": (
        404,
        "Not found",
        "There is no such thing, or it is not in the scope of the read token.",
    ),
    "method-not-allowed": (405, "Method not allowed", "The API only reads: use GET or HEAD."),
    "precondition-failed": (412, "Precondition failed", "The answer is none of those in If-Match."),
    "bad-parameter": (
        422,
        "Bad parameter",
        "A parameter is not what it should be; `field` names it, `errors` says it of each.",
    ),
    "too-many-wrong-tokens": (
        429,
        "Too many wrong tokens",
        "So many wrong tokens came from this address that no other is looked at yet.",
    ),
    "bug": (500, "Our mistake", "The hub made a mistake; its log has the details."),
    "database-away": (
        503,
        "The database does not answer",
        "Nothing can be read now; come again after the time in Retry-After.",
    ),
    "too-many-exports": (
        503,
        "Too many exports",
        "So many exports are under way that no other begins; come again after Retry-After.",
    ),
}
_OF_STATUS: Final = {status: kind for kind, (status, _, _) in reversed(KINDS.items())}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one parameter; `detail` is a sentence."""

    field: str
    detail: str


class Problem(Exception):
    """Ends a request with this answer."""

    def __init__(
        self,
        kind: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def answer(self) -> HttpResponse:
        status, title, _ = KINDS[self.kind]
        said: dict[str, Any] = {
            "type": TYPES + self.kind,
            "title": title,
            "status": status,
            "detail": self.detail,
        }
        if self.errors:
            said["field"] = self.errors[0].field
            said["errors"] = [asdict(each) for each in self.errors]
        return HttpResponse(
            orjson.dumps(said), status=status, content_type=MEDIA_TYPE, headers=dict(self.headers)
        )


def bad_parameter(field: str, should: str) -> Problem:
    """`should` goes on after the parameter's name: `should be a whole number`."""
    detail = f"{field} {should}."
    return Problem("bad-parameter", detail, [FieldError(field, detail)])


def not_found(detail: str, field: str | None = None) -> Problem:
    return Problem("not-found", detail, [FieldError(field, detail)] if field else ())


def problem_of(error: Exception) -> Problem:
    """The problem that any error is; a bug is logged, and told without details."""
    match error:
        case Problem():
            return error
        case Refused():
            return _of_refused(error)
        case ValidationError():
            return _of_validation(error)
        case NoSpan():
            return bad_parameter(error.field, str(error))
        case Http404():
            return not_found("There is nothing at this address.")
        case HttpError() if error.status_code in _OF_STATUS:
            return Problem(_OF_STATUS[error.status_code], str(error))
        case SuspiciousOperation():
            return Problem("bad-request", "The hub does not take a request of this form.")
        case DatabaseTrouble() if not isinstance(error, BUGS):
            logger.warning("the API cannot ask the database: %s", error)
            again = {"Retry-After": str(RETRY_AFTER_S)}
            return Problem("database-away", "The database does not answer now.", headers=again)
    logger.error("a bug in the API", exc_info=error)
    return Problem("bug", "The hub made a mistake; its log has the details.")


def answer_of(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """As ninja wants a handler of exceptions."""
    assert isinstance(error, Exception)
    return problem_of(error).answer()


def _of_refused(refused: Refused) -> Problem:
    headers = {}
    kind = _OF_STATUS[refused.status]
    if refused.status == HTTPStatus.UNAUTHORIZED:
        kind = "bad-token" if refused.token_error else "not-authenticated"
        error = ', error="invalid_token"' if refused.token_error else ""
        headers["WWW-Authenticate"] = f'Bearer realm="Weir"{error}'
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    return Problem(kind, refused.sentence, headers=headers)


def _of_validation(error: ValidationError) -> Problem:
    """Pydantic's findings, each as a sentence about its parameter."""
    found = [FieldError(field, f"{field} {_should(each)}.") for each, field in _fields(error)]
    return Problem("bad-parameter", found[0].detail, found)


def _fields(error: ValidationError) -> list[tuple[dict[str, Any], str]]:
    """Each finding with its parameter's name; `loc` ends with a number in a list."""
    named = []
    for each in error.errors:
        names = [part for part in each["loc"] if isinstance(part, str)]
        named.append((each, names[-1]))
    return named


def _should(finding: dict[str, Any]) -> str:
    said = str(finding["msg"])
    if finding["type"] == "missing":
        return "is missing"
    said = said.removeprefix("Value error, ").split(", unable to")[0]
    return said.replace("Input should", "should").replace("List should", "should")
