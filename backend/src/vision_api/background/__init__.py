"""Rows that one backend at a time processes, and the workers that do so. See docs/development/BACKGROUND.md."""
