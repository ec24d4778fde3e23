"""Experiments side by side: comparing some of them, and the leaderboard of a project."""
