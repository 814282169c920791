"""What stands before the routes: who calls, what they may, how often, how much. `gate.py` puts it together."""
