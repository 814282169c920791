"""What travels on the bus: one envelope, the messages, the subjects and the streams."""
