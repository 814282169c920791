"""The market: bars, quotes, sessions, and where they come from."""
