"""Under which names and addresses this machine is reached, for the URL that a start prints."""

from __future__ import annotations

import ipaddress
import socket

# Addresses reserved for documentation: a datagram socket "connected" to one sends nothing, but
# has been given the address that this machine shows to others.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_ANYWHERE = {"0.0.0.0", "::"}


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from this machine alone."""
    try:
        address = ipaddress.ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"


def shown_host(host: str) -> str:
    """The host to print in a URL for a server bound to `host`."""
    if host in _ANYWHERE:
        host = _own_address(socket.AF_INET6 if host == "::" else socket.AF_INET)
    return f"[{host}]" if ":" in host else host


def own_hosts(host: str) -> list[str]:
    """Every name and address by which a browser may call a server bound to `host`."""
    loopback = ["localhost", "127.0.0.1", "[::1]"]
    if is_loopback(host):
        return loopback
    if host not in _ANYWHERE:
        return list(dict.fromkeys([*loopback, shown_host(host)]))
    name = socket.gethostname().lower()
    found = [*loopback, name, f"{name}.local", shown_host(host), *_addresses_of(name)]
    return list(dict.fromkeys(found))


def _own_address(family: socket.AddressFamily) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


def _addresses_of(name: str) -> list[str]:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return []
    return sorted(f"[{each}]" if ":" in each else each for each in found if "%" not in each)
