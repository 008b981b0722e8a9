# ruff: noqa: N999  (gunicorn gives its file this name)
"""How gunicorn serves Quittance: `quittance serve`, or `gunicorn -c config/gunicorn.conf.py wsgi:application`.

The number of workers and threads, port and proxies are settings (config/settings.py); the rest is decided here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from app.garbage import keep_what_is_loaded
from config.settings import Settings

_settings = Settings.from_environ()

bind = f"127.0.0.1:{_settings.port}"
worker_class = "gthread"
workers = _settings.web_workers
threads = _settings.web_threads

# Imported once, then forked: half the memory, and a worker that died is back at once.
preload_app = True

timeout = 30  # a worker whose main loop stands still that long is replaced; a slow request alone is not
graceful_timeout = 20  # longer than the longest request: a call to a bank ends after 10 s
keepalive = 5

# gunicorn would open a control socket in the home folder, and heartbeat files would wait for a slow disk.
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) and Path("/dev/shm").is_dir() else None  # noqa: S108  # nosec B108

limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
forwarded_allow_ips = "127.0.0.1"  # only a proxy on this machine may say that the browser came by https

accesslog = None  # addresses of pages hold the ids of bills and payments
errorlog = "-"
loglevel = "info"


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Before, so that what the workers share is not copied by being looked at."""
    keep_what_is_loaded()


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Connections of the parent must not be shared; closing them here would close the parent's own."""
    services = server.app.callable.extensions["quittance"]
    services.engine.dispose(close=False)
    services.customer_keys.engine.dispose(close=False)
