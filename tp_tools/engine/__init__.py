"""TraceProcessor, embedded or native."""
