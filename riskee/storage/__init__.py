"""One adapter for each server: database, cache, bus, vectors, language model."""
