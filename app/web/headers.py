"""Security headers of every answer, and the check that a form comes from our own pages."""

from __future__ import annotations

from flask import Flask, Response, abort, request

from app.web.context import services

_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'none'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def _policy(**others: str) -> str:
    directives = _DIRECTIVES | {name.replace("_", "-"): value for name, value in others.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


CONTENT_SECURITY_POLICY = _policy()
#: of the one page that may register the worker that shows notices: its script makes one address, and no other, trusted
WITH_WORKER = _policy(worker_src="'self'", trusted_types="quittance-worker")
PERMISSIONS_POLICY = (
    "camera=(), microphone=(), geolocation=(), payment=(), "
    "publickey-credentials-get=(self), publickey-credentials-create=(self)"
)


def register(app: Flask) -> None:
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """On every answer of every door; a page of ours is never kept by a cache, framed, or fed from elsewhere."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = PERMISSIONS_POLICY
    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    is_said = response.cache_control.public or response.cache_control.no_store
    if not request.path.startswith("/static/") and not is_said:
        headers["Cache-Control"] = "no-store"  # unless a door says that its document is for everybody
    return response


def only_from_our_pages() -> None:
    """Refuse a changing request that another site made the browser send (beside the form token and SameSite)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site != "same-origin":
            abort(403)
    elif request.headers.get("Origin") != services().settings.base_url:
        abort(403)
