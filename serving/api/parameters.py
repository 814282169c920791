"""What the routes share of their parameters."""

from typing import Annotated

from fastapi import Path

TICKER = r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,15}$"
TickerPath = Annotated[
    str, Path(pattern=TICKER, description="exchange symbol; its case does not matter", examples=["AAPL"])
]
# Which a caller may ask for; whoever wants more polls.
LONGEST_WAIT_SECONDS = 60
