"""The UK sandbox banks as `quittance sandbox-bank` serves them: a process of its own, over TLS."""

from __future__ import annotations

from pathlib import Path

from tests.support.served_banks import ServedProcess
from tests.support.uk_tpp import BRANDS, OverTls, UkPerson, UkTpp


class ServedBank(ServedProcess):
    """With clients and persons that reach it, whose connections it closes."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, folder=data / "sandbox-bank-uk", standard="openbanking_uk")
        self._transports: list[OverTls] = []

    def start(self, *arguments: str) -> None:
        super().start("--folder", str(self.folder), *arguments)

    def close(self) -> None:
        self.kill()
        for transport in self._transports:
            transport.close()

    def transport(self) -> OverTls:
        self._transports.append(OverTls(self.folder / "ca.pem"))
        return self._transports[-1]

    def tpp(self, brand: str = "albion") -> UkTpp:
        return UkTpp(
            transport=self.transport(), files=self.folder, brand=brand, base_url=self.base_url, **BRANDS[brand]
        )

    @property
    def ledger_token(self) -> str:
        return (self.data / "sandbox-bank-uk" / "ledger-token").read_text("utf-8").strip()

    def person(self) -> UkPerson:
        return UkPerson(transport=self.transport())
