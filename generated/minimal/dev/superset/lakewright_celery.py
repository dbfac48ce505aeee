# Made by lakewright from blueprint superset, lakewright_celery.py.tera. Change that and build again: edits here are lost.
"""The broker and what runs periodically. Superset's configuration imports it; the scheduler runs on it alone.

The scheduler only sends the names of tasks. Through `superset.tasks.celery_app` it would load all of Superset for that
(210 MiB instead of 50).
"""

import pathlib
import time
from urllib.parse import quote

import lakewright_statsd
from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, heartbeat_sent, task_postrun, task_prerun

redis = {
    "host": "valkey",
    "port": 6379,
    "username": "superset-cache",
    "password": pathlib.Path("/run/secrets/valkey-superset-cache").read_text(encoding="utf-8").rstrip("\r\n"),
}


def redis_url(db: int) -> str:
    user, password = quote(redis["username"], safe=""), quote(redis["password"], safe="")
    return f"redis://{user}:{password}@{redis['host']}:{redis['port']}/{db}"


BROKER = 0
_DAY = 86400


class CeleryConfig:
    broker_url = redis_url(BROKER)
    result_backend = redis_url(BROKER)
    result_expires = _DAY
    imports = (
        "superset.sql_lab",
        "superset.tasks.scheduler",
        "superset.tasks.thumbnails",
        "superset.tasks.cache",
        "superset.tasks.slack",
    )
    broker_connection_retry_on_startup = True
    # Redis hands a task out again when it is not acknowledged in time: longer than any query may run.
    broker_transport_options = {"visibility_timeout": 21600 + 3600}
    worker_prefetch_multiplier = 1
    # Leave the log to Superset's configuration (JSON lines).
    worker_hijack_root_logger = False
    # Acknowledged when done: a worker that dies gives its task back.
    task_acks_late = True
    task_annotations = {"sql_lab.get_sql_results": {"rate_limit": "100/s"}}
    beat_schedule = {
        "reports.scheduler": {"task": "reports.scheduler", "schedule": crontab(), "options": {"expires": 3600}},
        "reports.prune_log": {"task": "reports.prune_log", "schedule": crontab(minute=0, hour=0)},
        "prune_query": {
            "task": "prune_query",
            "schedule": crontab(minute=20, hour=1),
            "kwargs": {"retention_period_days": 15552000 // _DAY},
        },
        "prune_logs": {
            "task": "prune_logs",
            "schedule": crontab(minute=40, hour=1),
            "kwargs": {"retention_period_days": 15552000 // _DAY},
        },
        "prune_tasks": {
            "task": "prune_tasks",
            "schedule": crontab(minute=0, hour=2),
            "kwargs": {"retention_period_days": 15552000 // _DAY},
        },
    }


class _SchedulerConfig(CeleryConfig):
    imports = ()


# Not the current app: in the other processes that is Superset's.
app = Celery("lakewright", set_as_current=False)
app.config_from_object(_SchedulerConfig)


# What the probes look at: files as old as the last sign of life.
@heartbeat_sent.connect
def _worker_alive(**_):
    pathlib.Path("/tmp/worker.alive").touch()
    lakewright_statsd.count("worker.heartbeat")


@beat_init.connect
def _beat_alive(sender=None, **_):
    # beat wakes at least every `max_interval` seconds to look at its schedule.
    scheduler = sender.scheduler
    scheduler.max_interval = sender.max_interval = 30
    tick = scheduler.tick

    def tick_and_touch(*args, **kwargs):
        pathlib.Path("/tmp/beat.alive").touch()
        lakewright_statsd.count("beat.tick")
        return tick(*args, **kwargs)

    scheduler.tick = tick_and_touch


_began: dict[str, float] = {}


@task_prerun.connect
def _task_begins(task_id=None, **_):
    _began[task_id] = time.monotonic()


@task_postrun.connect
def _task_ends(task_id=None, task=None, state=None, **_):
    began = _began.pop(task_id, None)
    if began is not None:
        name = task.name.replace(".", "_")
        lakewright_statsd.timing(f"task.{name}.{(state or 'unknown').lower()}", (time.monotonic() - began) * 1000)
