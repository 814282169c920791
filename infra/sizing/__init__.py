"""What a number of tickers needs, from what was measured: docs/sizing.md."""
