"""The gateway over HTTP. Its first room is the local endpoint that the CLI talks to."""

ENDPOINT = ".endpoint"
"""What the file with the endpoint's address is called, after the database's name."""
