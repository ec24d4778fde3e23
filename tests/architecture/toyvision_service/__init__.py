"""A fourth framework that exists for tests only."""
