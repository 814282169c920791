"""Feeds: where live quotes come from, one module each."""
