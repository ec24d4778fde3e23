"""Fuzzing of the API by its own OpenAPI document, as each role, with ids of things that exist."""
