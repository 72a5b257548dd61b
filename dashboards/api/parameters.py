"""What the resources read from an address in the same way."""

from __future__ import annotations

from django.http import HttpRequest
from pydantic import BaseModel

from dashboards.access import Reader
from dashboards.api.problems import FieldError, Problem, not_found
from devices.models import Device


def refuse_unknown(request: HttpRequest, known: type[BaseModel] | None = None) -> None:
    """A parameter that is misspelt must not be left out in silence. Raises Problem."""
    fields = known.model_fields.items() if known else ()
    names = {field.alias or name for name, field in fields}
    unknown = [name for name in request.GET if name not in names]
    if unknown:
        may = f"it takes {', '.join(sorted(names))}" if names else "it takes none"
        errors = [FieldError(name, f"{name} is no parameter here: {may}.") for name in unknown]
        raise Problem("bad-parameter", errors[0].detail, errors)


def device_of(reader: Reader, uid: str) -> Device:
    """The device that is known by `uid`. Raises Problem where it is none for this reader."""
    found = reader.devices().filter(uid=uid).first()
    if found is None:
        raise not_found(f"There is no device {uid}.", "uid")
    return found
