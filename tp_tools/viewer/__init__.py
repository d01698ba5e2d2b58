"""Show a trace in the Perfetto UI, in a browser on this machine.

A `Source` enters `preparation.prepare_view`, which repairs or recompresses the trace where needed.
It leaves through `server.Server`, which serves the UI and the file until the page is closed.
"""
