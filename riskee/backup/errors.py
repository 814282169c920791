"""What is wrong with a backup itself."""

from riskee.errors import PoisonError


class DamagedError(PoisonError):
    """What is stored is not what was stored: cut short, changed, moved, or sealed with another key."""
