# Made by lakewright from blueprint superset, superset_config.py.tera. Change that and build again: edits here are lost.
"""Superset's configuration. Secrets are read from their files when this module is imported; none stands here."""

import json
import logging
import os
import pathlib
import sys
from datetime import timedelta

import lakewright_statsd
from cachelib.redis import RedisCache
from lakewright_celery import BROKER, CeleryConfig, redis, redis_url
from sqlalchemy.engine.url import URL
from superset.stats_logger import BaseStatsLogger
from superset.utils.logging_configurator import LoggingConfigurator


def _secret(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8").rstrip("\r\n")


# --- metadata database -------------------------------------------------------------------------------------------------
SECRET_KEY = _secret("/run/secrets/superset-secret-key")

# It bears no password, since Superset prints it when the database does not answer.
SQLALCHEMY_DATABASE_URI = URL.create(
    "postgresql+psycopg2",
    username="superset",
    host="postgresql-router",
    port=5432,
    database="superset",
    query={
        "application_name": "superset",
        "connect_timeout": "10",
    },
).render_as_string()
_password = _secret("/run/secrets/postgresql-superset-metadata")
# Migrations know nothing but the address; libpq looks here for what it lacks.
if "db" in sys.argv[1:]:
    os.environ["PGPASSWORD"] = _password

_pool = int(os.environ.get("LAKEWRIGHT_DB_POOL", "2"))
SQLALCHEMY_ENGINE_OPTIONS = {
    "pool_size": _pool,
    "max_overflow": _pool,
    # A connection that the server or the network dropped is replaced instead of failing a request.
    "pool_pre_ping": True,
    "pool_recycle": 1800,
    "connect_args": {"password": _password},
}

# --- caches and results -------------------------------------------------------------------------------------------
# Databases of their own, so that one can be flushed without the others; lakewright_celery.py has number 0.
_CACHE, _RESULTS, _LIMITS = 1, 2, 3


def _cache(prefix: str, timeout: int) -> dict:
    return {
        "CACHE_TYPE": "RedisCache",
        "CACHE_REDIS_URL": redis_url(_CACHE),
        "CACHE_KEY_PREFIX": f"superset_{prefix}_",
        "CACHE_DEFAULT_TIMEOUT": timeout,
    }


_day = 86400
CACHE_CONFIG = _cache("meta", _day)
DATA_CACHE_CONFIG = _cache("data", 3600)
FILTER_STATE_CACHE_CONFIG = _cache("filter", 90 * _day) | {"REFRESH_TIMEOUT_ON_RETRIEVAL": True}
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 7 * _day) | {"REFRESH_TIMEOUT_ON_RETRIEVAL": True}
THUMBNAIL_CACHE_CONFIG = _cache("thumbnail", 7 * _day)

RESULTS_BACKEND = RedisCache(
    host=redis["host"],
    port=redis["port"],
    password=redis["password"],
    db=_RESULTS,
    key_prefix="superset_results_",
    default_timeout=_day,
    username=redis["username"],
)
RESULTS_BACKEND_USE_MSGPACK = True

_coordination = {
    "CACHE_TYPE": "RedisCache",
    "CACHE_REDIS_HOST": redis["host"],
    "CACHE_REDIS_PORT": redis["port"],
    "CACHE_REDIS_USER": redis["username"],
    "CACHE_REDIS_PASSWORD": redis["password"],
    "CACHE_REDIS_DB": BROKER,
}
DISTRIBUTED_COORDINATION_CONFIG = _coordination
GLOBAL_ASYNC_QUERIES_CACHE_BACKEND = _coordination
GLOBAL_ASYNC_QUERIES_JWT_SECRET = _secret("/run/secrets/superset-async-key")
GUEST_TOKEN_JWT_SECRET = _secret("/run/secrets/superset-guest-key")


CELERY_CONFIG = CeleryConfig

# --- behind the proxy --------------------------------------------------------------------------------------------------
_https = True
ENABLE_PROXY_FIX = True
# The public port comes with the host name; a port of its own would replace it by the proxy's inner one.
PROXY_FIX_CONFIG = {"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 0, "x_prefix": 0}
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
PERMANENT_SESSION_LIFETIME = timedelta(hours=12)
PREFERRED_URL_SCHEME = "https" if _https else "http"
WTF_CSRF_ENABLED = True
WTF_CSRF_TIME_LIMIT = 12 * 3600

TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": [
            "'self'",
        ],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    # TLS ends at the proxy; a redirect from here would loop.
    "force_https": False,
    "session_cookie_secure": _https,
}

RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = redis_url(_LIMITS)
# Counting per process is better than refusing everybody while the cache restarts.
RATELIMIT_IN_MEMORY_FALLBACK_ENABLED = True
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "5 per second"

# --- limits ------------------------------------------------------------------------------------------------------------
ROW_LIMIT = 50000
SQL_MAX_ROW = 100000
SUPERSET_WEBSERVER_TIMEOUT = 60
# Below the server's: the query is given up before the process that waits for it.
SQLLAB_TIMEOUT = max(5, 60 - 5)
SQLLAB_ASYNC_TIME_LIMIT_SEC = 21600

FEATURE_FLAGS = {
}

# --- language ----------------------------------------------------------------------------------------------------------
_languages = {
    "en": {"flag": "us", "name": "English"},
    "fr": {"flag": "fr", "name": "Français"},
    "de": {"flag": "de", "name": "Deutsch"},
    "es": {"flag": "es", "name": "Español"},
    "it": {"flag": "it", "name": "Italiano"},
    "pt": {"flag": "pt", "name": "Português"},
    "nl": {"flag": "nl", "name": "Nederlands"},
    "pl": {"flag": "pl", "name": "Polski"},
    "ru": {"flag": "ru", "name": "Русский"},
    "uk": {"flag": "ua", "name": "Українська"},
    "sk": {"flag": "sk", "name": "Slovenčina"},
    "sl": {"flag": "si", "name": "Slovenščina"},
    "ja": {"flag": "jp", "name": "日本語"},
    "ko": {"flag": "kr", "name": "한국어"},
    "zh": {"flag": "cn", "name": "中文"},
}
BABEL_DEFAULT_LOCALE = "en"
LANGUAGES = {code: _languages[code] for code in dict.fromkeys([BABEL_DEFAULT_LOCALE, "en"])}

# --- who may log in ----------------------------------------------------------------------------------------------------
PUBLIC_ROLE_LIKE = None
AUTH_TYPE = 1
AUTH_USER_REGISTRATION = False


# --- measurements ------------------------------------------------------------------------------------------------------
class _Statistics(BaseStatsLogger):
    def incr(self, key: str) -> None:
        lakewright_statsd.count(key)

    def decr(self, key: str) -> None:
        pass  # a counter never goes down

    def timing(self, key: str, value: float) -> None:
        lakewright_statsd.timing(key, value)

    def gauge(self, key: str, value: float) -> None:
        lakewright_statsd.gauge(key, value)


STATS_LOGGER = _Statistics()


# --- logs: one JSON object per line ------------------------------------------------------------------------------------
class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class _JsonLogging(LoggingConfigurator):
    def configure_logging(self, app_config, debug_mode: bool) -> None:
        handler = logging.StreamHandler()
        handler.setFormatter(_JsonFormatter())
        logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
        logging.captureWarnings(True)
        if app_config["SILENCE_FAB"]:
            logging.getLogger("flask_appbuilder").setLevel(logging.ERROR)


LOGGING_CONFIGURATOR = _JsonLogging()
