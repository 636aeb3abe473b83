"""The fixtures of the end-to-end tests."""

from town_rig import town as town  # noqa: PLC0414 - pytest finds fixtures by their name here
from uncertain_rig import doubt as doubt  # noqa: PLC0414 - pytest finds fixtures by their name here
