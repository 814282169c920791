"""The part of Qdrant's REST API that Riskee uses, over Qdrant's engine in this process (`qdrant-edge-py`).

For the embedded profile only: one process, loopback, no authentication, no replication. Whatever it does not
support it refuses with Qdrant's form of error; it never answers something else than what was asked.
"""
