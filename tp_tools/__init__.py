"""tp-tools: GPU traces that tell the truth in Perfetto."""
