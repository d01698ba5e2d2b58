"""writing.json."""
