"""All settings, from the environment. The only module that reads it.

docs/configuration.md explains each name. A value that cannot be read stops the start.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal.env import Env

env = Env(os.environ)

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where things lie -----------------------------------------------------------------------

VAR = env.path("PORTAL_VAR", BASE_DIR / "var")


def _read_or_make_secret_key() -> str:
    """One key for each installation, kept under var/ and readable by its owner alone."""
    file = VAR / "secret_key"
    if not file.exists():
        VAR.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        try:
            os.link(draft, file)  # fails if another process was first: then its key counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()


# --- Security -------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY") or _read_or_make_secret_key()
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

# True where browsers reach the portal by https: cookies, HSTS and redirects follow.
PORTAL_HTTPS = env.flag("PORTAL_HTTPS")
# How many proxies of ours stand in front, each adding one entry to X-Forwarded-For.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0)

SECURE_SSL_REDIRECT = PORTAL_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000 if PORTAL_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PORTAL_HTTPS
SECURE_HSTS_PRELOAD = PORTAL_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PORTAL_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
X_FRAME_OPTIONS = "DENY"

# As in Django 6.0, where the middleware of portal/csp.py becomes Django's own.
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

REQUIRE_SECOND_FACTOR = env.flag("REQUIRE_SECOND_FACTOR")
SIGN_IN_FAILURES = env.number("SIGN_IN_FAILURES", 5, minimum=1)
SIGN_IN_WINDOW_MINUTES = env.number("SIGN_IN_WINDOW_MINUTES", 15, minimum=1)
SESSION_IDLE_MINUTES = env.number("SESSION_IDLE_MINUTES", 30, minimum=1)

# --- Applications ---------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "portal.apps.PortalAdminConfig",
    "portal.access.apps.AccessConfig",
    "portal.inbox.apps.InboxConfig",
    "portal.failures.apps.FailuresConfig",
    "portal.polling.apps.PollingConfig",
    "portal.database.apps.DatabaseConfig",
    "meetings.apps.MeetingsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_filters",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

if env.flag("DEVELOPMENT_CHECKS"):
    INSTALLED_APPS.append("django_linear_migrations")

MIDDLEWARE = [
    "portal.logs.RequestIdMiddleware",
    "portal.monitoring.MonitoringMiddleware",
    "portal.inbox.cors.DoorHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "portal.access.middleware.SignInRequiredMiddleware",
    "portal.zones.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -------------------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL")
# A host that vanishes says nothing: without these, statements would wait for it for minutes or
# hours. The kernel asks after 5 s of silence, and what was sent must be confirmed within 10 s.
_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def _database_from_url(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL must start with postgresql://, not {parts.scheme or 'nothing'}://. "
            "The portal runs on PostgreSQL only."
        )
    return {
        "HOST": unquote(parts.hostname or ""),
        "PORT": parts.port or "",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        # libpq's own, above all sslmode: left out in silence, it would not be in force.
        "OPTIONS": {**_LIMITS, **dict(parse_qsl(parts.query))},
    }


def _embedded_database() -> dict[str, Any]:
    from portal.database.embedded import EmbeddedServer

    server = EmbeddedServer(VAR / "postgres")
    return {
        "ENGINE": "portal.database.backend",
        "HOST": str(server.socket_dir),
        "NAME": "greenroom",
        "USER": "greenroom",
        "OPTIONS": dict(_LIMITS),
    }


DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **(_database_from_url(DATABASE_URL) if DATABASE_URL else _embedded_database()),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "access.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
OTP_TOTP_ISSUER = "Greenroom"

# --- Language, time, files ------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
# What people see unless they choose otherwise in the header; everything is stored in UTC.
DEFAULT_VIEWER_ZONE = env.text("DEFAULT_VIEWER_ZONE", "UTC")

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.staticfiles.StaticFilesStorage"},
}

# --- API ------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.access.authentication.SecretKeyAuthentication",
        "portal.access.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["portal.access.permissions.ScopeOrPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Greenroom API",
    "DESCRIPTION": "Doors for clients (ingest keys) and the REST API for programs (secret keys).",
    "VERSION": "1",
    "TAGS": [
        {"name": "meetings", "description": "Meetings and what clients told in them."},
        {"name": "attendees", "description": "People in meetings."},
        {"name": "events", "description": "Client events, one by one."},
        {"name": "failures", "description": "Failure groups, their occurrences, their triage."},
        {"name": "doors", "description": "Where clients send what happened, with an ingest key."},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": False,  # its links would stand inside buttons, which no reader expects
        "syntaxHighlight": {"theme": "arta"},  # the usual one is too faint for numbers
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Background work ------------------------------------------------------------------------
# django-q2's traps, and why these figures: docs/adr/0004-background-work.md.

Q_CLUSTER = {
    "name": "greenroom",
    "label": "Background jobs",
    "orm": "default",
    "workers": env.number("WORKER_PROCESSES", 2, minimum=1),
    "timeout": 50,
    "retry": 120,
    "ack_failures": True,
    "max_attempts": 1,
    "catch_up": False,
    "poll": 1,
    "bulk": 1,
    "queue_limit": 4,
    "recycle": 200,
    "max_rss": 250_000,  # KB: recycle before the system's out-of-memory killer comes
    "save_limit": 200,
    "save_limit_per": "func",
}

# --- The web server -------------------------------------------------------------------------

WEB_PROCESSES = env.number("WEB_PROCESSES", 2, minimum=1)
WEB_THREADS = env.number("WEB_THREADS", 8, minimum=1)

# --- Doors and the inbox --------------------------------------------------------------------

# The original's POST /meetingevents without a key. Open to everybody: off unless asked for.
INGEST_ANONYMOUS = env.flag("INGEST_ANONYMOUS")
# A client event's body, in bytes. Long meetings make honest bodies of several MiB.
INGEST_MAX_BYTES = env.number("INGEST_MAX_BYTES", 8 * 1024 * 1024, minimum=1024)
# How often handling a delivery may be begun before it counts as poison.
INBOX_MAX_ATTEMPTS = env.number("INBOX_MAX_ATTEMPTS", 5, minimum=1)
INBOX_BATCH = env.number("INBOX_BATCH", 500, minimum=1)
# /readyz answers 503 beyond these.
READY_MAX_LAG_SECONDS = env.number("READY_MAX_LAG_SECONDS", 60, minimum=1)
READY_MAX_HEARTBEAT_SECONDS = env.number("READY_MAX_HEARTBEAT_SECONDS", 150, minimum=1)

# --- Retention: days, 0 keeps for ever -------------------------------------------------------

_CENTURY = 36_500
RETENTION_BODIES_DAYS = env.number("RETENTION_BODIES_DAYS", 30, maximum=_CENTURY)
RETENTION_EVENTS_DAYS = env.number("RETENTION_EVENTS_DAYS", 90, maximum=_CENTURY)
RETENTION_FIGURES_FINE_DAYS = env.number("RETENTION_FIGURES_FINE_DAYS", 90, maximum=_CENTURY)
RETENTION_FIGURES_DAYS = env.number("RETENTION_FIGURES_DAYS", 400, maximum=_CENTURY)
RETENTION_FAILURES_DAYS = env.number("RETENTION_FAILURES_DAYS", 90, maximum=_CENTURY)
RETENTION_QUARANTINE_DAYS = env.number("RETENTION_QUARANTINE_DAYS", 90, maximum=_CENTURY)

# --- Failures -------------------------------------------------------------------------------

# Reasons are free text of clients: beyond so many groups of a kind the rest shares one.
FAILURES_MAX_GROUPS_PER_KIND = env.number("FAILURES_MAX_GROUPS_PER_KIND", 500, minimum=1)

# --- Meetings -------------------------------------------------------------------------------

JOIN_SUCCESS_TARGET = env.fraction("JOIN_SUCCESS_TARGET", 0.99)
# A client clock further off than this is flagged, and our own time is used instead.
CLOCK_AHEAD_SECONDS = env.number("CLOCK_AHEAD_SECONDS", 120)
CLOCK_BEHIND_HOURS = env.number("CLOCK_BEHIND_HOURS", 72)

# --- AWS ------------------------------------------------------------------------------------

AWS_REGION = env.text("AWS_REGION", "us-east-1")
AWS_ENDPOINT_URL = env.text("AWS_ENDPOINT_URL")
CLOUDWATCH_LOG_GROUP = env.text("CLOUDWATCH_LOG_GROUP")  # empty: the sink is off
CLOUDWATCH_METRIC_NAMESPACE = env.text("CLOUDWATCH_METRIC_NAMESPACE", "AmazonChimeSDKMeetingEvents")

# --- SQS as the inbox -----------------------------------------------------------------------
# docs/sqs.md. Whoever has the URL of the queue takes from it, whichever inbox the doors use.

INBOX = env.choice("INBOX", "database", "sqs")
INBOX_SQS_URL = env.text("INBOX_SQS_URL")
INBOX_SQS_DEAD_LETTER_URL = env.text("INBOX_SQS_DEAD_LETTER_URL")
# Of a message, and of the messages in one request together.
INBOX_SQS_MAX_BYTES = env.number("INBOX_SQS_MAX_BYTES", 250_000, minimum=16_384, maximum=1_048_576)
INBOX_SQS_RECEIVERS = env.number("INBOX_SQS_RECEIVERS", 2, minimum=1, maximum=32)
# For how long a message that an intake has taken is not given to others.
INBOX_SQS_VISIBILITY_SECONDS = env.number(
    "INBOX_SQS_VISIBILITY_SECONDS", 60, minimum=3, maximum=43_200
)
INBOX_S3_BUCKET = env.text("INBOX_S3_BUCKET")
INBOX_S3_PREFIX = env.text("INBOX_S3_PREFIX", "greenroom/inbox/")


def _check_sqs() -> None:
    if INBOX != "sqs" and not INBOX_SQS_URL:
        return
    for name, value in (("INBOX_SQS_URL", INBOX_SQS_URL), ("INBOX_S3_BUCKET", INBOX_S3_BUCKET)):
        if not value:
            raise ImproperlyConfigured(f"SQS as the inbox needs {name} as well. See docs/sqs.md.")
    for url in filter(None, (INBOX_SQS_URL, INBOX_SQS_DEAD_LETTER_URL)):
        host = urlsplit(url).hostname or ""
        if not url.startswith(("https://", "http://")) or not host:
            raise ImproperlyConfigured(f"{url!r} is not the URL of an SQS queue.")
        if url.endswith(".fifo"):
            raise ImproperlyConfigured(f"{url} is a FIFO queue. The inbox needs a standard queue.")
        if host.endswith(".amazonaws.com") and f".{AWS_REGION}." not in f".{host}":
            raise ImproperlyConfigured(f"{url} does not lie in AWS_REGION, which is {AWS_REGION}.")
    if INBOX_SQS_DEAD_LETTER_URL == INBOX_SQS_URL:
        raise ImproperlyConfigured(
            "INBOX_SQS_DEAD_LETTER_URL must be another queue than the inbox."
        )


_check_sqs()

# --- Logging --------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "portal.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"handlers": ["console"], "propagate": False},
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        "django-q": {"level": "WARNING"},  # it tells of every task
    },
}

SILENCED_SYSTEM_CHECKS: list[str] = []
