"""Hostile bytes for the serial sensors' parsers; see README.md here."""
