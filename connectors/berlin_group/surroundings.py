"""What every verb at one bank works with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.berlin_group.links import Place
from connectors.berlin_group.quirks import Quirks
from connectors.berlin_group.wire import Wire
from connectors.profile import BankProfile
from connectors.security.oauth_client import OAuthClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    profile: BankProfile
    wire: Wire
    oauth: OAuthClient
    quirks: Quirks
    clock: Callable[[], dt.datetime]
    customer_token: str | None = field(default=None, repr=False)  #: of who signed in there before: all is asked with it

    @property
    def place(self) -> Place:
        return Place(
            base_url=self.profile.base_url,
            origins=self.profile.origins,
            redirect_link_name=self.quirks.redirect_link_name,
        )
