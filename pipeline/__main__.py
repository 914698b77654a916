"""python -m pipeline is newsdedup."""

import sys

from pipeline.cli import main

sys.exit(main())
