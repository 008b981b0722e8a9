"""What gunicorn loads: `gunicorn connectors.sandbox_bank.openbanking_uk.wsgi:application`."""

from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings

application = create_uk_bank(UkBankSettings.from_environ())
