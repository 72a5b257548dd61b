"""Daphne, made to hold: its sockets bounded both ways, its clock steady, its end orderly.

`runner` serves; the other modules are parts of it. They lean on insides of Daphne, Autobahn and
Twisted, each held by `tests/integration/server/test_contract.py`. Knows nothing of devices.
"""
