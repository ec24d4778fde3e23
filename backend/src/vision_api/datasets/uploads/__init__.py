"""Uploads and imports: bytes into storage, then a version that waits to be processed."""
