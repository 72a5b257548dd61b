"""`docs/weir.v1.schema.json`: both sides of `weir.v1` as JSON Schema, made from the code.

The hub's side is the types of `messages`, to the letter. The device's side is the messages of which
no reading is refused for its form; what a schema cannot say stands in the descriptions. Nothing on
the line uses this: what does not fit is decoded like any other message, and refused by name.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from ingest.messages import SEQ_MAX, STREAM_PATTERN, Said
from ingest.reading import METRIC_MAX_CHARACTERS, NUMBER_MAX, SECONDS_BELOW, TEXT_MAX_CHARACTERS
from ingest.wire import AGE_MAX_MS, FORMS, RESERVED

Schema = dict[str, Any]

ABOUT: Final = (
    "The hub says a HubMessage: this version exactly that, a later one perhaps more keys and types,"
    " so a device ignores what it does not know. A device may say any DeviceMessage: no reading of"
    " it is refused for its form."
)
NULL: Final[Schema] = {"type": "null"}
SEQ: Final[Schema] = {
    "description": "The frame's number; after a hello with a stream, and only then.",
    "type": "integer",
    "minimum": 1,
    "maximum": SEQ_MAX,
}
AGE_MS: Final[Schema] = {
    "description": "How long ago the sample without ts was taken.",
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": AGE_MAX_MS,
}
VALUE: Final[Schema] = {
    "description": "One reading, or null for none. An integer that is written as one is at most"
    " 2^53 in magnitude; a text holds no half of a surrogate pair.",
    "anyOf": [
        {"type": "number", "minimum": -NUMBER_MAX, "maximum": NUMBER_MAX},
        {"type": "boolean"},
        {"type": "string", "maxLength": TEXT_MAX_CHARACTERS, "pattern": "^[^\\u0000]*$"},
        NULL,
    ],
}
TIME: Final[Schema] = {
    "description": "Unix time in milliseconds, or ISO 8601 with an offset; at most future_s ahead."
    " Null or absent, in one sample of a frame: the moment of receipt less age_ms.",
    "anyOf": [
        {"type": "number", "minimum": SECONDS_BELOW},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "string", "format": "date-time"},
        NULL,
    ],
}
METRIC: Final[Schema] = {
    "type": "string",
    "pattern": f"^[A-Za-z][A-Za-z0-9_.:/-]{{0,{METRIC_MAX_CHARACTERS - 1}}}$",
}


def published() -> str:
    """The file's text."""
    hub = TypeAdapter[Said](Said).json_schema(schema_generator=_Untitled)
    definitions = hub.pop("$defs") | {"HubMessage": hub} | device_definitions()
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "weir.v1",
        "description": ABOUT,
        "anyOf": [_the("HubMessage"), _the("DeviceMessage")],
        "$defs": definitions,
    }
    return json.dumps(whole, indent=2) + "\n"


def device_definitions() -> Schema:
    """What a device may say, and its parts, by name."""
    values = {
        "description": "Readings by metric.",
        "type": "object",
        "propertyNames": METRIC,
        "additionalProperties": _the("Value"),
    }
    sample = {
        "description": "One time with the readings taken at it; n and bn are SenML's.",
        "type": "object",
        "properties": {
            "ts": _the("Time"),
            "values": _or_null(_the("Values")),
            "n": False,
            "bn": False,
        },
        "required": ["values"],
    }
    columns = {
        "description": "An array of times and one for each metric, all of one length.",
        "type": "object",
        "properties": {"ts": _or_null(_array(_the("Time")))},
        "propertyNames": METRIC,
        "additionalProperties": _or_null(_array(_the("Value"))),
    }
    reserved = {"ts": _the("Time"), "seq": SEQ, "age_ms": AGE_MS, "type": NULL}
    assert reserved.keys() == RESERVED
    bare = {
        "description": "Readings by metric, in the frame itself.",
        "type": "object",
        "properties": {**reserved, **_no(*FORMS)},
        "propertyNames": METRIC,
        "additionalProperties": _the("Value"),
    }
    forms = ["SamplesFrame", "ColumnsFrame", "ValuesFrame", "BareFrame", "Samples"]
    return {
        "DeviceMessage": {"anyOf": [_the(name) for name in ("Hello", *forms)]},
        "Hello": _hello(),
        "SamplesFrame": _frame("readings", _the("Samples")),
        "ColumnsFrame": _frame("columns", columns, "readings"),
        "ValuesFrame": _frame("values", _the("Values"), "readings", "columns", "senml"),
        "BareFrame": bare,
        "Samples": _array(_or_null(_the("Sample"))),
        "Sample": sample,
        "Values": values,
        "Value": VALUE,
        "Time": TIME,
    }


def _hello() -> Schema:
    held = {
        "description": "The numbers of the frames that are kept; if none is, first is last + 1.",
        "type": "object",
        "properties": {"first": SEQ, "last": SEQ | {"minimum": 0}},
        "required": ["first", "last"],
    }
    return {
        "description": "The first message, or none. Without a stream it only shows the token.",
        "type": "object",
        "properties": {
            "type": {"const": "hello"},
            "token": {"type": ["string", "null"]},
            "stream": {"type": ["string", "null"], "pattern": STREAM_PATTERN},
            **_no(*FORMS),
        },
        "required": ["type"],
        "if": {"properties": {"stream": {"type": "string"}}, "required": ["stream"]},
        "then": {"properties": {"held": held}, "required": ["held"]},
    }


def _frame(form: str, readings: Schema, *without: str) -> Schema:
    """An object with readings under the key of its form, and none of those looked at before."""
    timed = {"ts": _the("Time")} if form == "values" else {}
    return {
        "type": "object",
        "properties": {"seq": SEQ, "age_ms": AGE_MS, **timed, form: readings, **_no(*without)},
        "required": [form],
    }


class _Untitled(GenerateJsonSchema):
    """Without a title for each key that only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _the(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _array(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def _no(*keys: str) -> Schema:
    """A key that is null is as good as absent."""
    return dict.fromkeys(keys, NULL)
