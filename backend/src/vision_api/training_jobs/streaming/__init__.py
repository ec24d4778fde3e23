"""Event streams of jobs and projects (SSE)."""
