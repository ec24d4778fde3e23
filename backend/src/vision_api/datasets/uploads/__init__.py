"""Uploads and imports: files go into storage, then a version waits to be processed."""
