"""What is wrong with media."""


class MediaError(Exception):
    """They can't be had, or can't be made to fit: why, in one line that begins with "it" or names what is meant."""
