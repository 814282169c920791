"""The feature set: its definitions, the live kernel and its hash."""
