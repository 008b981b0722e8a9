"""What gunicorn loads: `gunicorn connectors.sandbox_bank.wsgi:application`."""

from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.settings import BankSettings

application = create_bank(BankSettings.from_environ())
