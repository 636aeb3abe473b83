"""The gateway over HTTP. Its first room is the local endpoint that the CLI talks to."""
