"""Account statements as a bank would write them, for tests. Every value can be bent by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry with one transaction."""

    end_to_end_id: str | None
    amount: str = "84.20"
    currency: str = "EUR"
    indicator: str = "CRDT"
    reversal: bool = False
    status: str = "BOOK"
    reference: str | None = None  #: AcctSvcrRef of the transaction
    entry_reference: str | None = None
    counterparty: str | None = None
    booked_on: str = "2026-11-23"
    return_reason: str | None = None

    def xml(self, *, new: bool) -> str:
        status = f"<Cd>{self.status}</Cd>" if new else self.status
        side = "Dbtr" if self.indicator == "CRDT" else "Cdtr"
        account = f"<{side}Acct><Id><IBAN>{self.counterparty}</IBAN></Id></{side}Acct>" if self.counterparty else ""
        returned = f"<RtrInf><Rsn><Cd>{self.return_reason}</Cd></Rsn></RtrInf>" if self.return_reason else ""
        return (
            f'<Ntry><Amt Ccy="{self.currency}">{self.amount}</Amt><CdtDbtInd>{self.indicator}</CdtDbtInd>'
            f"<RvslInd>{str(self.reversal).lower()}</RvslInd><Sts>{status}</Sts>"
            f"<BookgDt><Dt>{self.booked_on}</Dt></BookgDt>{_element('AcctSvcrRef', self.entry_reference)}"
            f"<NtryDtls><TxDtls><Refs>{_element('AcctSvcrRef', self.reference)}"
            f"{_element('EndToEndId', self.end_to_end_id)}</Refs>"
            f"<RltdPties>{account}</RltdPties>{returned}</TxDtls></NtryDtls></Ntry>"
        )


def _element(name: str, value: str | None) -> str:
    return f"<{name}>{value}</{name}>" if value is not None else ""


def camt(
    *lines: Line | str,
    account: str,
    kind: str = "053",
    version: str = "08",
    message_id: str = "MSG-1",
    days: tuple[str, str] | None = ("2026-11-23", "2026-11-23"),
) -> bytes:
    """A message with one statement. A line may be XML as it stands."""
    outer, inner = {
        "052": ("BkToCstmrAcctRpt", "Rpt"),
        "053": ("BkToCstmrStmt", "Stmt"),
        "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[kind]
    period = ""
    if days is not None:
        period = f"<FrToDt><FrDtTm>{days[0]}T00:00:00</FrDtTm><ToDtTm>{days[1]}T23:59:59</ToDtTm></FrToDt>"
    entries = "".join(line if isinstance(line, str) else line.xml(new=version >= "08") for line in lines)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"><{outer}>'
        f"<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-23T23:59:59</CreDtTm></GrpHdr>"
        f"<{inner}><Id>{message_id}-1</Id>{period}<Acct><Id><IBAN>{account}</IBAN></Id></Acct>"
        f"{entries}</{inner}></{outer}></Document>"
    ).encode()
