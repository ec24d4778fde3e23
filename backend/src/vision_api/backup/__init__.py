"""Backup and restore of the database and of everything in storage, as one file."""
