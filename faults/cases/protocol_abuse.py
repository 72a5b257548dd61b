"""Each rule of the protocol broken in raw bytes, a connection for each, beside a fleet at work."""

from __future__ import annotations

import secrets
from typing import Any

from faults import Row
from faults.abuse import ABUSES, STREAM, TOKEN_TIMEOUT, Abuse, Opening, empty, hello
from faults.acks import Acks
from faults.place import Place
from faults.raw import RawSocket, bearer
from tests.hubs import Hub, Store, wait_until

TITLE = "Every rule of the protocol is broken"
ENGINES = ("sqlite",)  # what is refused does not reach the database


def run(place: Place) -> list[Row]:
    rounds, devices = place.scale((1, 3), (20, 20))
    store = place.store()
    hub = place.hub(store)
    tokens = {rule: store.add_device(f"abuser-{n}") for n, rule in enumerate(ABUSES)}
    fleet = place.fleet(
        *(hub, place.tokens(store, devices), "run"),
        *("--rate", "5", "--duration", "forever", "--wait", "60s"),
    )
    acks = Acks(fleet)
    wait_until(lambda: connected(hub) == devices, "the fleet is connected")
    with RawSocket.open(hub.port) as silent:
        wrong = [
            found
            for _ in range(rounds)
            for rule, abuse in ABUSES.items()
            if (found := broken(hub, rule, abuse, tokens[rule]))
        ]
        assert not wrong, "\n".join(wrong)
        messages, code = silent.hear_end()
        assert (messages, code) == (list(TOKEN_TIMEOUT), 4408)
    wait_until(lambda: connected(hub) == devices, "the abusers are forgotten")
    acks.mark(reconnected=False)
    acks.wait_s(devices)
    result = fleet.stop()
    assert (result["reconnects"], result["errors"]) == (0, {})
    assert " ERROR " not in hub.log
    assert not [token for token in tokens.values() if token in hub.log]
    assert stored_of_abusers(store) == 0
    assert hub.terminate() == 0
    return [
        place.row(
            store,
            done=f"{len(ABUSES) + 1} ways, {rounds} times each, beside {devices} devices",
            seen="each told the message and the close code of its rule; no device of the fleet was"
            " disconnected, and no bug was logged",
            figures={"rules": len(ABUSES) + 1},
        )
    ]


def connected(hub: Hub) -> float:
    return hub.figures()["weir_devices_connected"]


def stored_of_abusers(store: Store) -> int:
    """Readings of theirs, but for the one of those that were to speak before."""
    return store.number(
        "SELECT count(*) FROM ingest_reading r JOIN devices_series s ON s.id = r.series_id"
        " JOIN devices_device d ON d.id = s.device_id"
        " WHERE d.uid LIKE 'abuser-%%' AND s.metric <> 'spoken'"
    )


def broken(hub: Hub, rule: str, abuse: Abuse, token: str) -> str:
    """What was answered to this abuse, where it is not what the rule says; else nothing."""
    stream = secrets.token_hex(len(STREAM) // 2)
    with opened(hub, abuse, token, stream) as raw:
        raw.send(abuse.sent.replace(STREAM.encode(), stream.encode()))
        if abuse.closes is not None:
            messages, code = raw.hear_end()
            expected = list(abuse.heard)
        else:
            # An ack waits for its commit, and comes after what is answered at once.
            messages = sorted((raw.hear() for _ in abuse.heard), key=str)
            expected, code = sorted(abuse.heard, key=str), None
            if raw.ask(alive(abuse))["type"] != "ack":
                return f"{rule}: the connection does not live"
    if code == abuse.closes and alike(messages, expected):
        return ""
    return f"{rule}: said {messages}, closed {code}; should say {expected}, close {abuse.closes}"


def opened(hub: Hub, abuse: Abuse, token: str, stream: str) -> RawSocket:
    if abuse.opening is Opening.COMMITTED:
        with RawSocket.open(hub.port, headers=bearer(token)) as before:
            begin_stream(before, stream)
    headers = {} if abuse.opening is Opening.BARE else bearer(token)
    path = abuse.path.format(token=token)
    raw = RawSocket.open(hub.port, path, {**headers, **dict(abuse.headers)})
    if abuse.opening is Opening.SPOKEN:
        assert raw.ask({"spoken": 1})["type"] == "ack"
    elif abuse.opening in (Opening.RELIABLE, Opening.NACKED):
        begin_stream(raw, stream)
        if abuse.opening is Opening.NACKED:
            raw.send(empty(3))
            assert raw.hear()["type"] == "nack"
    return raw


def begin_stream(raw: RawSocket, stream: str) -> None:
    raw.send(hello(stream=stream, held={"first": 1, "last": 0}))
    assert raw.hear()["type"] == "welcome"
    raw.send(empty(1))
    assert raw.hear()["type"] == "ack"


def alive(abuse: Abuse) -> dict[str, Any]:
    """A message that is answered with an ack in any case, if anything is."""
    streamed = abuse.opening in (Opening.RELIABLE, Opening.NACKED)
    return {"seq": 1, "readings": []} if streamed else {}


def alike(heard: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    return len(heard) == len(expected) and all(map(fits, heard, expected))


def fits(heard: dict[str, Any], expected: dict[str, Any]) -> bool:
    if expected["type"] == "welcome":  # the rest of it is not this table's
        return bool(heard["type"] == "welcome")
    should: str = expected.get("message", "")
    if should.endswith("…") and heard.get("message", "").startswith(should[:-1]):
        heard = {**heard, "message": should}
    return heard == expected
