"""Reaching our own programs on this machine, even where nothing resolves the name `localhost`.

A bare system without /etc/hosts does not know it, and passkeys need that name and no other. So we connect to
127.0.0.1 and still say Host: localhost, as a browser would.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import get_cookie_header
from typing_extensions import override

TIMEOUT_S = (2, 12)


class _Loopback(HTTPAdapter):
    """Connects to 127.0.0.1 whatever the local name is; the address of the request stays as it is."""

    @override
    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host_params, pool_kwargs = super().build_connection_pool_key_attributes(request, verify, cert)
        if host_params["host"] == "localhost":
            host_params["host"] = "127.0.0.1"
        return host_params, pool_kwargs

    @override
    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
        request.headers["Host"] = urlsplit(request.url or "").netloc


class _Session(requests.Session):
    """Sends its cookies by its own policy: requests copies them into a jar with the default one."""

    @override
    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = super().prepare_request(request)
        cookies = get_cookie_header(self.cookies, prepared)  # type: ignore[no-untyped-call]
        if cookies:
            prepared.headers["Cookie"] = cookies
        return prepared


def new_session() -> requests.Session:
    """A session for our own programs: no proxy, nothing from the environment, and Secure cookies as on localhost.

    Browsers send Secure cookies to localhost over http, too. Every request has a connection of its own, so that one
    that fails to connect has sent nothing.
    """
    session = _Session()
    session.trust_env = False
    session.mount("http://", _Loopback())
    session.headers["Connection"] = "close"
    session.cookies.set_policy(DefaultCookiePolicy(secure_protocols=("https", "http")))
    return session
