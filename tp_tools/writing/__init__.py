"""Edits become bytes. Pure: no decisions are made here."""
