"""Alpaca's live feed: its websocket stream, and its REST API for what the stream has missed."""
