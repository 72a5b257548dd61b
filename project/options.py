"""Every setting of Weir, one line each, read from the environment and checked at start.

`WEIR_*` variables, and `DATABASE_URL` and `REDIS_URL` under the names that hosting platforms use.
A value that cannot be used is refused here, by name, before anything opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent


class Options(BaseSettings):
    """The hub's options; `docs/configuration.md` gives each its reason."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", extra="ignore", frozen=True)

    # Engines
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    redis_url: str = Field(default="", validation_alias="REDIS_URL")
    data_dir: Path = BASE_DIR / "var"

    # Django
    secret_key: str = ""
    debug: bool = False
    allowed_hosts: Annotated[list[str], NoDecode] = ["localhost", "127.0.0.1", "[::1]"]
    allowed_origins: Annotated[list[str], NoDecode] = []
    time_zone: str = "UTC"

    # The device protocol
    frame_max_bytes: int = Field(default=262_144, ge=1_024, le=16_777_216)
    frame_max_readings: int = Field(default=10_000, ge=1)
    in_flight: int = Field(default=32, ge=1, le=1_024)
    future_s: int = Field(default=600, ge=0)
    hello_timeout_s: float = Field(default=5.0, gt=0)
    plain_connections: int = Field(default=4, ge=1)
    streams: int = Field(default=8, ge=1)

    # The writer
    flush_interval_s: float = Field(default=0.02, ge=0, le=10)
    flush_readings: int = Field(default=20_000, ge=1)
    buffer_readings: int = Field(default=200_000, ge=1)
    retry_interval_s: float = Field(default=0.5, gt=0)
    refused_kept: int = Field(default=1_000, ge=0)

    # Sealing
    seal_grace_s: float = Field(default=10.0, ge=0)
    seal_slice_readings: int = Field(default=40_000, ge=1)
    seal_unit_readings: int = Field(default=400_000, ge=1)

    # Relay and dashboards
    relay_interval_s: float = Field(default=1.0, ge=0.1, le=60)
    seen_timeout_s: float = Field(default=30.0, gt=0)

    # Access
    revocation_interval_s: float = Field(default=2.0, gt=0)

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def split_on_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value
