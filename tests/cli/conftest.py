"""The fixtures of the command line's tests."""

from cli_rig import house as house  # noqa: PLC0414 - pytest finds fixtures by their name here
from cli_rig import sandbox as sandbox  # noqa: PLC0414
