"""What a client of the stream is sent, and how it gets there: the same for WebSockets and server-sent events."""
