"""Every setting of Weir, one line each, read from the environment and checked at start.

`WEIR_*` variables, and `DATABASE_URL` and `REDIS_URL` under the names that hosting platforms use.
A value that cannot be used is refused here, by name, before anything opens.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.reading import METRIC_MAX_CHARACTERS, TEXT_MAX_CHARACTERS

BASE_DIR = Path(__file__).resolve().parent.parent
# Beyond it Daphne closes with 1009 and no word; up to it the hub answers by name.
FRAME_MOST_BYTES = 4 * 1024 * 1024
SECRET_SHORTEST_CHARACTERS = 50  # what Django warns below
METRICS_TOKEN_SHORTEST_CHARACTERS = 20  # nobody counts wrong ones
_SECRET_FEWEST_KINDS = 8  # of characters: a drawn one, even in hexadecimal, has more
_PLACEHOLDER = re.compile(
    r"(change|replace).?(me|this)|insecure|placeholder|your.?secret", re.IGNORECASE
)
_DATABASES = {"", "sqlite", "postgres", "postgresql"}
_LAYERS = {"", "redis", "rediss", "unix"}
_TESTS = "WEIR_TEST_"  # variables of the test suite, not of the hub


class Options(BaseSettings):
    """The hub's options; `docs/configuration.md` gives each its reason.

    Those that are secret, or may hold a password, are not shown with the others.
    """

    model_config = SettingsConfigDict(env_prefix="WEIR_", extra="ignore", frozen=True)

    # Engines
    database_url: str = Field(default="", validation_alias="DATABASE_URL", repr=False)
    redis_url: str = Field(default="", validation_alias="REDIS_URL", repr=False)
    data_dir: Path = BASE_DIR / "var"
    unsafe_durability: bool = False

    # Django
    secret_key: str = Field(default="", repr=False)
    debug: bool = False
    allowed_hosts: Annotated[list[str], NoDecode] = ["localhost", "127.0.0.1", "[::1]"]
    allowed_origins: Annotated[list[str], NoDecode] = []
    https: bool = False
    time_zone: str = "UTC"

    # The device protocol
    frame_max_bytes: int = Field(default=262_144, ge=1_024, le=FRAME_MOST_BYTES)
    frame_max_readings: int = Field(default=10_000, ge=1)
    in_flight: int = Field(default=32, ge=1, le=1_024)
    rate_frames_per_s: int = Field(default=1_000, ge=0)
    rate_readings_per_s: int = Field(default=50_000, ge=0)
    rate_bytes_per_s: int = Field(default=10_000_000, ge=0)
    rate_burst_s: float = Field(default=60.0, gt=0)
    future_s: int = Field(default=600, ge=0)
    hello_timeout_s: float = Field(default=5.0, gt=0)
    plain_connections: int = Field(default=4, ge=1)
    streams: int = Field(default=8, ge=1)
    metrics: int = Field(default=2_000, ge=1)
    metric_max_characters: int = Field(default=128, ge=1, le=METRIC_MAX_CHARACTERS)
    text_max_characters: int = Field(default=1_024, ge=1, le=TEXT_MAX_CHARACTERS)

    # How many in all
    devices: int = Field(default=10_000, ge=1)
    sockets: int = Field(default=10_000, ge=1)
    sockets_waiting: int = Field(default=1_000, ge=1)

    # The writer
    flush_interval_s: float = Field(default=0.02, ge=0, le=10)
    flush_readings: int = Field(default=20_000, ge=1)
    buffer_bytes: int = Field(default=33_554_432, ge=1)
    buffer_readings: int = Field(default=200_000, ge=1)
    retry_interval_s: float = Field(default=0.5, gt=0)
    refused_kept: int = Field(default=1_000, ge=0)

    # Sealing
    seal_grace_s: float = Field(default=10.0, ge=0)
    seal_slice_readings: int = Field(default=40_000, ge=1)
    seal_unit_readings: int = Field(default=400_000, ge=1)

    # Retention
    keep_readings_days: int = Field(default=0, ge=0, le=100_000)
    keep_minutes_days: int = Field(default=0, ge=0, le=100_000)
    keep_hours_days: int = Field(default=0, ge=0, le=100_000)

    # The server
    http_connections: int = Field(default=2_000, ge=10)
    stop_timeout_s: float = Field(default=10.0, ge=1)
    ping_s: int = Field(default=20, ge=1)
    pong_timeout_s: float = Field(default=30.0, ge=1)
    stall_timeout_s: float = Field(default=60.0, ge=1)

    # The log
    log_format: Literal["text", "json"] = "text"

    # Relay and dashboards
    relay_interval_s: float = Field(default=1.0, ge=0.1, le=60)
    seen_timeout_s: float = Field(default=30.0, gt=0)
    exports: int = Field(default=4, ge=1)

    # Access
    revocation_interval_s: float = Field(default=2.0, gt=0)
    failed_tokens_per_min: int = Field(default=60, ge=0)
    failed_logins_per_min: int = Field(default=10, ge=0)
    trusted_proxies: Annotated[list[str], NoDecode] = []
    metrics_token: str = Field(default="", repr=False)

    @field_validator("allowed_hosts", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def split_on_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("database_url")
    @classmethod
    def names_a_database(cls, value: str) -> str:
        if urlsplit(value).scheme not in _DATABASES:
            raise ValueError(
                "Weir runs on sqlite:///PATH and on postgres://USER:PASSWORD@HOST/NAME"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def names_a_redis(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in _LAYERS - {""}:
            raise ValueError("should be redis://HOST:PORT/NUMBER, rediss:// or unix://")
        return value

    @field_validator("time_zone")
    @classmethod
    def names_a_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("should be a zone such as Europe/Berlin, or UTC")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def names_addresses(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("should be addresses and networks such as 10.0.0.0/8") from None
        return value

    @field_validator("metrics_token")
    @classmethod
    def is_hard_to_guess(cls, value: str) -> str:
        if value and len(value) < METRICS_TOKEN_SHORTEST_CHARACTERS:
            raise ValueError(f"should have at least {METRICS_TOKEN_SHORTEST_CHARACTERS} characters")
        return value

    @field_validator("secret_key")
    @classmethod
    def is_long_enough(cls, value: str) -> str:
        if value and len(value) < SECRET_SHORTEST_CHARACTERS:
            raise ValueError(f"should have at least {SECRET_SHORTEST_CHARACTERS} characters")
        if value and (len(set(value)) < _SECRET_FEWEST_KINDS or _PLACEHOLDER.search(value)):
            raise ValueError("is one that anybody could guess: draw one at random")
        return value


def variable(name: str) -> str:
    """The environment variable of an option."""
    return name.upper() if name in {"database_url", "redis_url"} else f"WEIR_{name.upper()}"


def unknown_variables() -> list[str]:
    """`WEIR_*` variables that are set and mean nothing: misspelt, most likely."""
    known = {variable(name) for name in Options.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith("WEIR_") and name not in known and not name.startswith(_TESTS)
    )
