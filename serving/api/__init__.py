"""The API: REST and WebSocket. `python -m serving.api`."""
