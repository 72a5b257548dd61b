"""Django's settings, all of them made from `project.options`."""

from __future__ import annotations

import re

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from ingest.storage.postgres_connection import PATIENCE
from project.options import BASE_DIR, Options, variable
from project.secret import kept_secret_key

try:
    OPTIONS = Options()
except ValidationError as error:
    first = error.errors()[0]
    name = variable(str(first["loc"][0]).removeprefix("WEIR_").lower())
    said = str(first["msg"]).removeprefix("Value error, ")
    shown = "" if re.search("SECRET|TOKEN$|URL", name) else f", not {first['input']!r}"
    raise ImproperlyConfigured(f"{name}: {said}{shown}.") from None

VERSION = "0.1.0"  # that of pyproject.toml, which a hub does not have beside it
SECRET_KEY = OPTIONS.secret_key or kept_secret_key(OPTIONS.data_dir / "secret_key")
DEBUG = OPTIONS.debug
ALLOWED_HOSTS = OPTIONS.allowed_hosts
# Behind a proxy that ends TLS, which `project.proxies` asks for the scheme. What is not for
# browsers never reaches Django.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = OPTIONS.https
SECURE_HSTS_SECONDS = 30 * 86_400 if OPTIONS.https else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: those are other people's servers
    "security.W021",  # and so is a browser's list of names that never speak plain HTTP
]
CSRF_TRUSTED_ORIGINS = [origin for origin in OPTIONS.allowed_origins if "://" in origin]

INSTALLED_APPS = [
    "daphne",
    "project",
    "dashboards",
    "ingest",
    "devices",
    "channels",
    "csp",
    "django_prometheus",
    "ninja",
    "servestatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "project.static.CompressedStatic",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        OPTIONS.database_url or f"sqlite:///{OPTIONS.data_dir / 'weir.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    if not OPTIONS.database_url:
        OPTIONS.data_dir.mkdir(parents=True, exist_ok=True)
    # IMMEDIATE: a transaction that will write waits its turn at its start, not in its middle.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Or nobody could be let in, or shown out, for a quarter of an hour after a server vanished.
    DATABASES["default"]["OPTIONS"] = PATIENCE | DATABASES["default"].get("OPTIONS", {})

CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [OPTIONS.redis_url]},
        }
        if OPTIONS.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "fleet"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = OPTIONS.time_zone
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = OPTIONS.data_dir / "static"
# The only two files of the chart library; `dashboards.finders` exposes them and nothing else.
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboards.finders.ChartLibraryFinder",
]
# Served from where they are, without a collectstatic. Names carry no hash and modules import each
# other, so a browser asks each time (304): an upgrade must not mix old modules with new ones.
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_MAX_AGE = 0

DEFAULT_EXCEPTION_REPORTER = "project.masking.Report"

# Scripts and styles come from files of this hub, and from nowhere else.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF],
        "object-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "project.masking.Formatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "project.loglines.Json"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": OPTIONS.log_format},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "loggers": {
        "daphne": {"level": "WARNING"},
        # The relay and the board say once that Redis is gone; this said it each second, at length.
        "channels_redis": {"level": "CRITICAL"},
        # Answered with 400; a scanner's forged Host is no news, and each was a traceback.
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
    },
}
