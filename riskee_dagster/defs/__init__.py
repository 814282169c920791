"""The assets, by what they are about."""
