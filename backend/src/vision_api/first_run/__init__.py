"""The first run on a fresh database: it creates an administrator, and locally a sample project."""
