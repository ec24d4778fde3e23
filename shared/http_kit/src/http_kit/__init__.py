"""Parts of an HTTP process that the backend and the training services have alike.

Import its modules: runners log too, and need neither Starlette nor Prometheus for it.
"""
