"""`python -m riskee`."""

from riskee.cli import main

main()
