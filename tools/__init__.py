"""Make pages, pictures and measurements of the project; nothing here is installed."""
