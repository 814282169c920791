"""The feed that the settings name."""

from serving.consumers.feeds.feed import Feed
from serving.consumers.feeds.file import FileFeed
from serving.consumers.feeds.replay import ReplayFeed
from serving.consumers.service import Service
from serving.database import Database


def make_feed(service: Service, database: Database) -> Feed:
    """The feed of `feed.kind`. Nothing connects before its first wave."""
    match service.settings.feed.kind:
        case "replay":
            return ReplayFeed(service, database)
        case "file":
            return FileFeed(service, database)
        case "yahoo":
            # Their clients take their time to load, and the other feeds do without.
            from serving.consumers.feeds.yahoo.feed import YahooFeed

            return YahooFeed(service, database)
        case "alpaca":
            from serving.consumers.feeds.alpaca.feed import AlpacaFeed

            return AlpacaFeed(service, database)
