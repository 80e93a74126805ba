"""`python -m zoo`: the console command."""

import sys

from zoo.cli import main

sys.exit(main())
