"""Reading feeds of events."""

from feeds.events import Event

__all__ = ["Event"]
