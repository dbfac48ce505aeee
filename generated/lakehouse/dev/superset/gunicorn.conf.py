# Made by lakewright from blueprint superset, gunicorn.conf.py.tera. Change that and build again: edits here are lost.
# gunicorn reads this file by itself; nothing here is secret.
import time

import lakewright_statsd

bind = "0.0.0.0:8088"
workers = 1
worker_class = "gthread"
threads = 8
# Not above SUPERSET_WEBSERVER_TIMEOUT, and below the proxy's.
timeout = 60
graceful_timeout = 60
keepalive = 65  # longer than proxies keep idle connections, so that they close them, not we
# Workers are renewed now and then: pandas and pyarrow do not give memory back. Spread out, so never all at once.
max_requests = 2000
max_requests_jitter = 400
worker_tmp_dir = "/tmp"
# Long dashboard URLs.
limit_request_line = 0
accesslog = "-"
errorlog = "-"
access_log_format = (
    '{"stream":"access","time":"%(t)s","client":"%({x-forwarded-for}i)s","method":"%(m)s","path":"%(U)s",'
    '"status":"%(s)s","bytes":"%(B)s","duration_ms":"%(M)s","agent":"%(a)s"}'
)


# --- what requests take ------------------------------------------------------------------------------------------------
_KINDS = {
    "/api/v1/chart/": "chart",
    "/api/v1/dashboard/": "dashboard",
    "/superset/dashboard/": "dashboard",
    "/api/v1/sqllab/": "sqllab",
    "/static/": "static",
}


def pre_request(_worker, request):
    request.began = time.monotonic()


def post_request(_worker, request, _environ, response):
    if request.path in ("/health", "/healthcheck", "/ping"):
        return
    kind = next((kind for start, kind in _KINDS.items() if request.path.startswith(start)), "other")
    # Without a response the program failed before it had one.
    code = int(str(getattr(response, "status", None) or 500).split()[0])
    lakewright_statsd.timing(f"request.{kind}.{code // 100}xx", (time.monotonic() - request.began) * 1000)
