"""A fourth framework, which exists only here."""
