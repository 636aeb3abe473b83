"""X (api.x.com, v2) over tweepy."""
