"""Throttles: how often strangers, or one client, may do what takes time or guesses secrets."""
