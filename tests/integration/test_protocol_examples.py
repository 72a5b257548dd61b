"""`docs/protocol.md` cannot lie: its conversations are held with a hub, its lists with the code."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_args

import pytest
from channels.testing import HttpCommunicator, WebsocketCommunicator
from pytest_django.plugin import DjangoDbBlocker

from devices import tokens
from devices.models import Device
from ingest.consumers import DeviceConsumer
from ingest.endpoint import FrameEndpoint
from ingest.gate import Gate
from ingest.limits import Limits
from ingest.line import Line
from ingest.messages import ErrorCode
from ingest.models import Reading
from ingest.reading import Code
from ingest.relay import Relay
from ingest.storage import Trouble
from ingest.storage.sqlite import SqliteEngine
from ingest.writer import WriterOptions
from project.options import Options
from tests import ROOT
from tests.hubs import Store
from tests.integration.engine import default_database
from tests.integration.storage.failing import failing
from tests.schema import is_what_a_hub_says
from tests.unit.ingest.frames import decoded

PAGE = (ROOT / "docs" / "protocol.md").read_text()
TOKEN = "weir_…"  # stands for the token, on the page

BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONVERSATIONS = [block for kind, block in BLOCKS.findall(PAGE) if kind == "conversation"]
REQUESTS = [block for kind, block in BLOCKS.findall(PAGE) if kind == "http"]


@pytest.fixture
def database(
    new_store: Callable[[str], Store], django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The path of a migrated database that the hub's threads see, too."""
    url = new_store("sqlite").url
    with django_db_blocker.unblock(), default_database(url):
        yield url.removeprefix("sqlite:///")


@pytest.fixture
def token(database: str) -> str:
    return tokens.issue(Device.objects.create(uid="porch"))[1]


class Hub:
    """The line of one hub process after another, on a database that may go away."""

    def __init__(self, database: str) -> None:
        self._failures, self._engine = failing(SqliteEngine(database))
        self._ending: asyncio.Task[bool] | None = None
        self.line = self._begin()

    def _begin(self) -> Line:
        line = Line(
            lambda: self._engine,
            WriterOptions(flush_interval_s=0.001, retry_interval_s=0.01),
            Limits(),
            Gate(interval_s=60),
            Relay(None, "hub", 60, lambda: 0),
        )
        line.start()
        return line

    def lose_the_database(self) -> None:
        self._failures.fail_while_away(Trouble("the database is away"))

    def find_the_database(self) -> None:
        self._failures.fail_while_away(None)

    def end(self) -> None:
        self._ending = asyncio.create_task(self.line.stop())

    async def live(self) -> Line:
        """The line, a new one where the last was told to end."""
        if self._ending is not None:
            assert await self._ending
            self._ending = None
            self.line = self._begin()
        return self.line


@pytest.fixture
async def hub(database: str) -> AsyncIterator[Hub]:
    hub = Hub(database)
    yield hub
    assert await (await hub.live()).stop()


@pytest.fixture
async def line(hub: Hub) -> Line:
    return hub.line


@dataclass
class Talk:
    """A device that follows the page, on one connection after the other."""

    hub: Hub
    token: str
    socket: WebsocketCommunicator | None = None

    async def follow(self, conversation: str) -> None:
        lines = conversation.splitlines()
        if not lines[0].startswith("→ (connects"):
            await self._connect(self.token)
        for said in lines:
            side, text = said[0], said[2:]
            assert side in "→←", said
            await (self._say(text) if side == "→" else self._hear(text))
        await self.leave()

    async def _connect(self, token: str | None) -> None:
        await self.leave()
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        application = DeviceConsumer.as_asgi(line=await self.hub.live())
        self.socket = WebsocketCommunicator(application, "/ws/ingest/", headers, ["weir.v1"])
        assert await self.socket.connect(timeout=60) == (True, "weir.v1")

    async def leave(self) -> None:
        if self.socket is not None:
            await self.socket.disconnect(timeout=60)
            self.socket = None

    async def _say(self, text: str) -> None:
        if text == "(connects)":
            await self._connect(self.token)
        elif text == "(the database goes away)":
            self.hub.lose_the_database()
        elif text == "(the database is back)":
            self.hub.find_the_database()
        elif text == "(the hub is told to end)":
            self.hub.end()
        elif text == "(connects without a token)":
            await self._connect(None)
        elif text == "(sends a binary message)":
            assert self.socket
            await self.socket.send_to(bytes_data=b"\x00")
        else:
            assert self.socket
            await self.socket.send_to(text_data=text.replace(TOKEN, self.token))

    async def _hear(self, text: str) -> None:
        assert self.socket
        if closing := re.fullmatch(r"\(closes (\d{4})\)", text):
            closed = await self.socket.receive_output(timeout=60)
            assert (closed["type"], closed["code"]) == ("websocket.close", int(closing[1]))
            self.socket = None
            return
        expected = json.loads(text)
        said = await self._next()
        while said["type"] == "ack" and said["seq"] < expected["seq"]:
            said = joined(said, await self._next())
        assert alike(said, expected), f"{json.dumps(said)}\n is not what the page says:\n{text}"

    async def _next(self) -> dict[str, Any]:
        assert self.socket
        return is_what_a_hub_says(json.loads(await self.socket.receive_from(timeout=60)))


def joined(ack: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Two acks as the one they could have been: how frames fall into batches is the hub's."""
    assert later["type"] == "ack"
    counts = {key: ack[key] + later[key] for key in ("stored", "duplicate", "rejected")}
    errors = ack.get("errors", []) + later.get("errors", [])
    return later | counts | ({"errors": errors} if errors else {})


def alike(said: Any, expected: Any, key: str = "") -> bool:
    """The same but for what is different each time, and for a text that goes on."""
    if key in {"session", "time", "retry_after_ms"}:
        return type(said) is type(expected)
    if isinstance(expected, dict) and isinstance(said, dict):
        return said.keys() == expected.keys() and all(
            alike(said[k], expected[k], k) for k in expected
        )
    if isinstance(expected, list) and isinstance(said, list):
        return len(said) == len(expected) and all(map(alike, said, expected))
    if isinstance(expected, str) and expected.endswith("…"):
        return isinstance(said, str) and said.startswith(expected[:-1])
    return bool(said == expected)


async def test_every_conversation_on_the_page_goes_as_it_says(hub: Hub, token: str) -> None:
    """One device holds them all, in the page's order: later ones build on the earlier."""
    assert len(CONVERSATIONS) > 10
    talk = Talk(hub, token)
    for conversation in CONVERSATIONS:
        await talk.follow(conversation)


async def test_every_request_on_the_page_is_answered_as_it_says(line: Line, token: str) -> None:
    assert len(REQUESTS) >= 4
    for request, answer in zip(REQUESTS[::2], REQUESTS[1::2], strict=True):
        head, body = request.replace(TOKEN, token).split("\n\n")
        [start, *lines] = head.splitlines()
        pairs = [line.split(": ") for line in lines]
        headers = [(name.lower().encode(), value.encode()) for name, value in pairs]
        method, path, _ = start.split()
        endpoint = HttpCommunicator(
            FrameEndpoint.as_asgi(line=line), method, path, body.strip().encode(), headers
        )
        got = await endpoint.get_response(timeout=60)
        status, expected_headers, expected = parsed_answer(answer)
        assert got["status"] == status
        assert alike(json.loads(got["body"]), expected), got["body"]
        told = {name.decode().lower(): value.decode() for name, value in got["headers"]}
        assert expected_headers.items() <= told.items()
        is_what_a_hub_says(json.loads(got["body"]))


def parsed_answer(answer: str) -> tuple[int, dict[str, str], Any]:
    head, body = answer.split("\n\n")
    [start, *lines] = head.splitlines()
    status = HTTPStatus(int(start.split()[1]))
    assert start == f"HTTP/1.1 {status.value} {status.phrase}"
    headers = dict(line.split(": ") for line in lines)
    return status.value, {name.lower(): value for name, value in headers.items()}, json.loads(body)


async def test_a_message_that_is_sent_twice_is_stored_once(hub: Hub, token: str) -> None:
    """The page's whole promise in one line, on what the page itself sends."""
    talk = Talk(hub, token)
    await talk.follow(CONVERSATIONS[1])
    stored = await Reading.objects.acount()
    again = CONVERSATIONS[1].replace('"stored": 4, "duplicate": 0', '"stored": 0, "duplicate": 4')
    await talk.follow(again)
    assert await Reading.objects.acount() == stored > 0


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    section = PAGE.split(f"\n{heading}\n", 1)[1]
    rows = re.findall(r"^\|(.+)\|$", section.split("\n#", 1)[0], re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows[2:]]


REASONS = {row[0].strip("`"): row for row in table("### Every reason to refuse a reading")}
# These need more than one frame, or a very long one, to show.
SHOWN_ELSEWHERE = {"text_too_long", "kind_mismatch", "series_limit", "conflict", "unstorable"}


def test_the_page_lists_every_reason_to_refuse_a_reading() -> None:
    assert set(REASONS) == set(Code)


def test_each_reason_has_an_example_but_those_that_need_more_than_a_frame() -> None:
    assert {code for code, row in REASONS.items() if not row[2]} == SHOWN_ELSEWHERE


@pytest.mark.parametrize("code", sorted(set(REASONS) - SHOWN_ELSEWHERE))
def test_the_example_of_a_reason_is_refused_for_it(code: str) -> None:
    [refusal] = decoded(REASONS[code][2].strip("`")).refusals
    assert refusal.code == code


def test_the_page_lists_every_error_that_a_connection_can_end_with() -> None:
    """As the source names them, side by side with their close code."""
    source = "".join(
        (ROOT / file).read_text()
        for file in (
            "ingest/session.py",
            "ingest/consumers.py",
            "ingest/reception.py",
            "devices/tokens.py",
        )
    )
    closes = set(re.findall(r'\b(4\d{3}),\s*"(\w+)"', source))
    closes |= {(close, code) for code, close in re.findall(r'"(\w+)", (4\d{3})\b', source)}
    listed = {(row[0], row[1].strip("`")) for row in table("## Errors and close codes")}
    assert listed == closes


def test_the_schema_has_the_errors_on_the_page() -> None:
    rows = table("## Errors and close codes") + table("## Over HTTP")
    named = {code for row in rows for code in re.findall(r"(?:^|; )`(\w+)`(?=:|$)", row[1])}
    assert named - {"restart"} == set(get_args(ErrorCode))  # which is a bye's


def test_the_limits_on_the_page_are_the_hubs() -> None:
    welcomes = [
        message
        for conversation in CONVERSATIONS
        for message in re.findall(r"^← (\{.*welcome.*)$", conversation, re.MULTILINE)
    ]
    assert welcomes
    assert all(json.loads(message)["limits"] == Limits().announced() for message in welcomes)


def test_the_page_has_a_row_for_each_limit_with_its_default() -> None:
    listed = {row[0].strip("`"): int(row[1]) for row in table("## Limits")}
    assert listed == Limits().announced()


def test_the_other_numbers_on_the_page_are_the_hubs() -> None:
    default = {name: field.default for name, field in Options.model_fields.items()}
    text = " ".join(PAGE.split())
    assert default["plain_connections"] == 4
    assert "at most four plain connections" in text
    assert f"remembers {default['streams']} streams" in text
    assert f"the newest {default['refused_kept']:,} entries" in text
    assert f"closed after {default['hello_timeout_s']:g} seconds" in text
    assert f"within {FrameEndpoint.ANSWER_TIMEOUT_S:g} seconds" in text
    assert Limits().announced() == {
        **Limits().announced(),
        "frame_bytes": default["frame_max_bytes"],
        "frame_readings": default["frame_max_readings"],
        "in_flight": default["in_flight"],
        "frames_per_s": default["rate_frames_per_s"],
        "readings_per_s": default["rate_readings_per_s"],
        "bytes_per_s": default["rate_bytes_per_s"],
        "metrics": default["metrics"],
        "metric_characters": default["metric_max_characters"],
        "text_characters": default["text_max_characters"],
        "future_s": default["future_s"],
    }


def test_every_word_of_the_contents_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= anchors
