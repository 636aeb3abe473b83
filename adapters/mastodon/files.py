"""The bytes of what others attached: from the account's own server, or from wherever on the internet it keeps files.

An address is only the sender's word. So it is asked without the token; the server that the operator named may be
anywhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gateway.fetch import at, pieces
from gateway.model.media import Attachment

REDIRECTS_MAX = 3


def fetched(attachment: Attachment, server: str) -> AsyncGenerator[bytes]:
    return pieces(attachment.handle, inner=at(server), redirects=REDIRECTS_MAX)
