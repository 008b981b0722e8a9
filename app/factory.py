"""create_app: registers doors and errors; nothing else."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.services import Services
from app.web import banks, billers, compression, customers, headers, operators
from app.web.context import EXTENSION

#: no door takes more than this; the billers' door names its own limit for bills below it
BODY_MOST = 12 * 1024 * 1024


def create_app(services: Services) -> Flask:
    """The WSGI application around these services."""
    app = Flask("app", static_folder="static", template_folder="templates")
    app.extensions[EXTENSION] = services
    app.config.update(MAX_CONTENT_LENGTH=BODY_MOST, MAX_FORM_MEMORY_SIZE=256 * 1024, MAX_FORM_PARTS=50)
    # links are made from the Host header: only our own names; health checks come by address
    app.config["TRUSTED_HOSTS"] = [services.settings.host, "localhost", "127.0.0.1"]
    if services.settings.trusted_proxies:
        hops = services.settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    headers.register(app)
    compression.register(app)
    for door in (operators, billers, banks, customers):
        door.register(app)
    return app
