"""Media on their way out: fetched once, known by their bytes, made to fit each account. docs/media.md says how."""
