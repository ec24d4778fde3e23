"""Training quality: each framework and task through the platform's trainer and by the framework's own script, with the
same settings on the same data.
"""
