"""A server in the same process, behind requests: no sockets, so that tests take no time and need no ports."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from typing_extensions import override
from werkzeug.test import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WSGIAdapter(BaseAdapter):
    """``session.mount("https://bank.test", WSGIAdapter(app))``. ``sent`` keeps what went out, in its order,
    and ``heard`` what came back to it.

    A TimeoutError that the application lets through stands for an answer that never came.
    """

    def __init__(self, app: WSGIApplication, *, environ: Mapping[str, object] | None = None) -> None:
        """``environ``: what the server's WSGI environment has besides, as a client certificate."""
        super().__init__()
        self.app = app
        self.environ = dict(environ or {})
        self.sent: list[requests.PreparedRequest] = []
        self.heard: list[tuple[requests.PreparedRequest, int, dict[str, str], bytes]] = []

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.sent.append(request)
        parts = urlsplit(str(request.url))
        try:
            answer = Client(self.app, use_cookies=False).open(
                path=parts.path,
                query_string=parts.query,
                method=str(request.method),
                data=request.body,
                headers=list(request.headers.items()),
                base_url=f"{parts.scheme}://{parts.netloc}",
                environ_overrides=self.environ,
            )
        except TimeoutError as error:
            raise requests.ReadTimeout(request=request) from error
        self.heard.append((request, answer.status_code, dict(answer.headers.items()), answer.get_data()))
        response = requests.Response()
        response.request = request
        response.url = str(request.url)
        response.status_code = answer.status_code
        response.headers.update(answer.headers.items())
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(answer.get_data()), headers=dict(answer.headers), preload_content=False
        )
        return response

    @override
    def close(self) -> None:
        """Nothing is open."""
