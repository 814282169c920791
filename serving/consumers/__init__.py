"""The consumers: `python -m serving.consumers.<name>`."""
