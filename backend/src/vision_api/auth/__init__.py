"""Accounts: who signs in, and how we know them again."""
