"""`python -m rtfilter`: the command line."""

import sys

from rtfilter.cli import main

sys.exit(main())
