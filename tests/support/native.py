"""The native engine of tests, where the machine has one."""

NATIVE_VARIABLE = "TP_TOOLS_TEST_NATIVE"
"""The variable of the environment that names a trace_processor_shell to test on."""
