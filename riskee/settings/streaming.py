"""The branch of the tree of settings for the stream."""

from pydantic import Field

from riskee.settings.section import Section


class StreamSettings(Section):
    """WebSocket and server-sent events."""

    heartbeat_seconds: float = Field(15.0, gt=0, description="a connection that got nothing for so long hears a beat")
    slow_after_seconds: float = Field(10.0, gt=0, description="a client that takes nothing for so long is closed")
    connections: int = Field(
        10_000, ge=1, description="most connections of one process; each needs a file descriptor (`ulimit -n`)"
    )
    connections_per_address: int = Field(1000, ge=1, description="most connections of one address to one process")
    tickers_per_connection: int = Field(1000, ge=1, description="most tickers named by one connection; `*` is one")
    frame_bytes: int = Field(64 * 1024, ge=1024, description="largest frame that a client may send")
    buffer_bytes: int = Field(
        64 * 1024, ge=4096, description="most that is held of what a connection has not taken, here and in the kernel"
    )
    log_updates: int = Field(
        20_000, ge=1, description="updates kept for clients that resume: the newest of each ticker and kind"
    )
