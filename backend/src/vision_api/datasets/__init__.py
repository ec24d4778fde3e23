"""Data sets: uploads, what is in them, and their versions."""
