"""python -m trading.rotation WHAT: the same as `trading rotate WHAT`."""

import sys

from trading.cli import main

main(["rotate", *sys.argv[1:]])
