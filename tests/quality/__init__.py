"""Training quality: the platform's trainer and the framework's own script with the same settings on the same data."""
