"""The Risk of a consent, which its payments repeat (OBRisk1): what stands there must be of the version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.values import object_of, one_of, only, text_of

_CONTEXTS = (
    "BillingGoodsAndServicesInAdvance",
    "BillingGoodsAndServicesInArrears",
    "EcommerceMerchantInitiatedPayment",
    "FaceToFacePointOfSale",
    "TransferToSelf",
    "TransferToThirdParty",
)
#: 4.0 took these away
_OLD_CONTEXTS = ("PispPayee", "BillPayment", "EcommerceGoods", "EcommerceServices", "Other", "PartyToParty")
#: of ISO 20022 ExternalPurpose1Code those that a bill may have; 3.1 has no list
_PURPOSES = ("UBIL", "ELEC", "GASB", "WTER", "PHON", "TAXS", "INSU", "RENT", "SUPP", "OTHR")
_BENEFICIARIES = (
    "Business",
    "BusinessSavingsAccount",
    "Charity",
    "Collection",
    "Corporate",
    "Ewallet",
    "Government",
    "Investment",
    "ISA",
    "JointPersonal",
    "Pension",
    "Personal",
    "PersonalSavingsAccount",
    "Premier",
    "Wealth",
)
#: (fewest, most) characters
_TEXTS = {"MerchantCategoryCode": (3, 4), "MerchantCustomerIdentification": (1, 70)}


def check(body: Mapping[str, Any], brand: Brand) -> None:
    """Raises ApiError."""
    risk, at = object_of(body, "Risk", None), "Risk."
    right, wrong = "ContractPresentIndicator", "ContractPresentInidicator"
    if brand.version == "3.1" and not brand.correct_contract_indicator:
        right, wrong = wrong, right  # 3.1.11 itself is misspelt
    if wrong in risk:
        raise ApiError("U005", f"{wrong} is not a field of this version", path=f"Risk.{wrong}")
    flags = {right, "BeneficiaryPrepopulatedIndicator"}
    chosen = {
        "PaymentContextCode": _CONTEXTS if brand.version == "4.0" else (*_CONTEXTS, *_OLD_CONTEXTS),
        "PaymentPurposeCode": _PURPOSES,
        "BeneficiaryAccountType": _BENEFICIARIES,
    }
    only(risk, flags | chosen.keys() | _TEXTS.keys(), at)
    for name in sorted(risk.keys() & flags):
        if not isinstance(risk[name], bool):
            raise ApiError("U002", f"{name} is true or false", path=f"{at}{name}")
    for name in sorted(risk.keys() & chosen.keys()):
        one_of(risk, name, chosen[name], at)
    for name in sorted(risk.keys() & _TEXTS.keys()):
        fewest, most = _TEXTS[name]
        if len(text_of(risk, name, most, at)) < fewest:
            raise ApiError("U002", f"{name} has {fewest} to {most} characters", path=f"{at}{name}")
