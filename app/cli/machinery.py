"""What words run on: the installation's database, its services, and a web server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.keys.customers import CustomerKeys
    from app.services import Services


def engine() -> Engine:
    """The installation's database and nothing else of it."""
    from app.db.engine import make_engine
    from config.settings import Settings

    return make_engine(Settings.from_environ().database_url)


def opened_engine() -> Engine:
    """The same, with what is sealed with the customers' own keys opened. Raises KeysMissing."""
    from consent.private import open_with

    return open_with(engine(), customer_keys())


def customer_keys() -> CustomerKeys:
    """Where the customers' own keys are. Raises KeysMissing."""
    from app.keys.installation import Keys
    from app.services import open_customer_keys, utc_now
    from config.settings import Settings
    from consent.vault import Vault

    settings = Settings.from_environ()
    keys = Keys.load(settings.keys)
    return open_customer_keys(settings, Vault(keys.vault, active=keys.vault_active), clock=utc_now)


def services() -> Services:
    from app.journey.route import HANDLERS, ROUTE
    from app.services import build_services
    from config.settings import Settings

    return build_services(Settings.from_environ(), route=ROUTE, handlers=HANDLERS)


def gunicorn(
    application: str | Callable[[], object],
    *,
    conf: Path | None = None,
    port: int = 0,
    threads: int = 0,
    demo: bool,
    tls: Mapping[str, Any] | None = None,
) -> None:
    """Serve until a signal says stop, in this very process: a fault at start comes back here as an exception."""
    from gunicorn.app.base import Application  # type: ignore[import-untyped]
    from gunicorn.util import import_app  # type: ignore[import-untyped]

    class Server(Application):  # type: ignore[misc]
        def load_config(self) -> None:
            if conf is not None:
                self.load_config_from_file(str(conf))
            else:
                small = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "workers": 1, "threads": threads}
                for name, value in {
                    **small,
                    **(tls or {}),
                    "control_socket_disable": True,
                    "graceful_timeout": 20,
                }.items():
                    self.cfg.set(name, value)
            if demo:
                self.cfg.set("post_fork", _dying_with_parent(self.cfg.post_fork))

        def load(self) -> object:
            return import_app(application) if isinstance(application, str) else application()

    Server(prog="quittance").run()


def _dying_with_parent(post_fork: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """In the demo no worker outlives a supervisor that was killed."""

    def both(server: Any, worker: Any) -> None:
        from app.demo.processes import die_with_parent

        die_with_parent()
        post_fork(server, worker)

    return both
