"""One folder per platform, all of the same four files; ``border`` translates exceptions, ``sandbox`` plays the world."""
