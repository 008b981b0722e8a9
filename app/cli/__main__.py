"""`python -m app.cli`: how the demo starts its programs, wherever it is installed."""

import sys

from app.cli import main

sys.exit(main())
