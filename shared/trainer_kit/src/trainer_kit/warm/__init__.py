"""A process that has imported a framework once, and is forked for every attempt.

service ── request, lifeline ──▶ warm parent ── fork ──▶ runner ── fork ──▶ trainer, which waits for its inputs

The parent only imports. It computes nothing, touches no accelerator and starts no thread of its own: what it had
started would be missing, or shared, in its forks.
"""
