"""Bluesky and other AT Protocol servers, over the library ``atproto``."""
