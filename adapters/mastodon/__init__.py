"""Mastodon and what speaks its API, through Mastodon.py."""
