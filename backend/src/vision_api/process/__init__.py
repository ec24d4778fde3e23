"""The backend as a process: what it needs before it can serve, and how it ends."""
