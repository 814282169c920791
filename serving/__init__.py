"""What runs per tick: the consumers and the API. Nothing here imports the offline platform."""
