"""One folder per platform, all of the same four files; ``border`` translates exceptions, ``sandbox`` is the world."""
