"""Run the command line of tp-tools.

Arguments enter through `main`, which imports one module per command: it parses its options, calls
the packages below, and prints. Results go to stdout and files, lines for people to stderr.
"""
