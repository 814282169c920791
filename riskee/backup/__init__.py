"""Backups: of the database, the streams, the cache, the vectors and the reports, verified before they are believed."""
