"""The nouns: frozen structs and pure tables. Nothing here reads, writes, waits or knows a platform."""
