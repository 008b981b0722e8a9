"""What gunicorn loads: `gunicorn connectors.sandbox_bank.stet.wsgi:application`."""

from connectors.sandbox_bank.stet.app import create_stet_bank
from connectors.sandbox_bank.stet.settings import StetBankSettings

application = create_stet_bank(StetBankSettings.from_environ())
