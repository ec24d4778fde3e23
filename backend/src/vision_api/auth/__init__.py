"""Accounts and authentication: registration, sign-in, tokens and stream tickets."""
