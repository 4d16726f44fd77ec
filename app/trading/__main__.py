"""`python -m trading` is the command `trading`."""

from trading.cli import main

main()
