"""What people see: lines, progress, tables."""
