"""Uploads that resume where they were cut, by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload)."""
