"""What gunicorn loads: `gunicorn connectors.sandbox_bank.nextgen.wsgi:application`."""

from connectors.sandbox_bank.nextgen.app import create_nextgen_bank
from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings

application = create_nextgen_bank(NextGenBankSettings.from_environ())
