"""The published schema of `weir.v1`, for the tests to hold against it what they hear and say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PUBLISHED = Path(__file__).resolve().parents[1] / "docs" / "weir.v1.schema.json"


def _validator(name: str) -> Draft202012Validator:
    definitions = json.loads(PUBLISHED.read_text())["$defs"]
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


HUB = _validator("HubMessage")
DEVICE = _validator("DeviceMessage")


def is_what_a_hub_says(message: dict[str, Any]) -> dict[str, Any]:
    """The message itself, where the schema has it."""
    error = best_match(HUB.iter_errors(message))
    assert error is None, f"{json.dumps(message)}\n is not in the schema: {error.message}"
    return message
