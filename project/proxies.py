"""Who is at the other end: what a trusted proxy says of its client, and nobody else's word.

Around everything else, so that all there is behind it can believe `client` and `scheme` in the
ASGI scope. The headers that a trusted proxy added are taken away with it: those that are still
there further in were said by somebody who is not believed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Each says that the request came through somebody. Of them only the first two are read.
FORWARDING: Final = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-real-ip",
        b"forwarded",
        b"via",
    }
)
_SECURE: Final = {"http": "https", "ws": "wss"}


def behind(application: Application, trusted: Sequence[str]) -> Application:
    """`application`, for which these addresses and networks speak of others."""
    networks = [ipaddress.ip_network(each) for each in trusted]

    async def believed(scope: Scope, receive: Receive, send: Send) -> None:
        if networks and scope.get("client") and _within(scope["client"][0], networks):
            scope = told_by_proxy(scope, networks)
        await application(scope, receive, send)

    return believed


def told_by_proxy(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """The scope of a request that a trusted proxy sent, as the proxy's own client made it."""
    address, port = scope["client"]
    chain = [_bare(each) for each in _said(scope, b"x-forwarded-for").split(",") if each.strip()]
    if chain:
        address, port = client_of(chain, trusted), 0
    scheme = scope.get("scheme", "http")
    if _said(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower() == "https":
        scheme = _SECURE.get(scheme, scheme)
    headers = [(name, value) for name, value in scope["headers"] if name not in FORWARDING]
    return {**scope, "client": (address, port), "scheme": scheme, "headers": headers}


def client_of(chain: Sequence[str], trusted: Sequence[Network]) -> str:
    """The nearest of a chain of addresses that is no trusted proxy itself.

    Each proxy adds whom it was asked by at the end; what is to the left of an untrusted one may
    be invented.
    """
    for address in reversed(chain):
        if not _within(address, trusted):
            return address
    return chain[0]


def _said(scope: Scope, header: bytes) -> str:
    """A header's values, those of several lines one after the other."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == header)


def _bare(said: str) -> str:
    """An address as it stands in a header, without the port that some proxies add."""
    address = said.strip()
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
