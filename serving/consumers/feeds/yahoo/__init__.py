"""The feed that polls Yahoo's chart API."""
