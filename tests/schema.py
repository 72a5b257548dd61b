"""The published schema of `weir.v1`, for the tests to hold against it what they hear and say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PUBLISHED = Path(__file__).resolve().parents[1] / "docs" / "weir.v1.schema.json"


DEFINITIONS = json.loads(PUBLISHED.read_text())["$defs"]


def _validator(*schemas: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({"anyOf": schemas, "$defs": DEFINITIONS})


def _by_type() -> dict[str, Draft202012Validator]:
    """What the hub says, by its type: to try all of them took most of a fuzz test's time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for schema in DEFINITIONS["HubMessage"]["anyOf"]:
        definition = DEFINITIONS[schema["$ref"].rsplit("/", 1)[1]]
        found.setdefault(definition["properties"]["type"]["const"], []).append(schema)
    return {name: _validator(*schemas) for name, schemas in found.items()}


HUB = _by_type()
DEVICE = _validator(DEFINITIONS["DeviceMessage"])


def is_what_a_hub_says(message: dict[str, Any]) -> dict[str, Any]:
    """The message itself, where the schema has it."""
    assert message.get("type") in HUB, message
    error = best_match(HUB[message["type"]].iter_errors(message))
    assert error is None, f"{json.dumps(message)}\n is not in the schema: {error.message}"
    return message
