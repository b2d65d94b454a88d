"""`python -m rtfilter`: the command line."""

import sys

from rtfilter.cli.main import main

sys.exit(main())
