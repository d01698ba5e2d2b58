"""Chrome JSON traces: read exactly, write faithfully."""
