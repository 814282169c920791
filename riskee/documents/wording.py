"""How documents write dates, moves and factors."""

import math
from datetime import date


def day(session: date) -> str:
    """24 January 2013."""
    return f"{session.day} {session:%B %Y}"


def percent(log_return: float) -> str:
    """A log return as an unsigned simple return in per cent."""
    return f"{abs(math.expm1(log_return)):.1%}"


def moved(log_return: float) -> str:
    """A log return in words: gained 1.2%, lost 0.4%, was unchanged."""
    if abs(log_return) < 0.0005:
        return "was unchanged"
    return f"{'gained' if log_return > 0 else 'lost'} {percent(log_return)}"


def times(factor: float) -> str:
    """2.6 times."""
    return f"{factor:.1f} times"
