"""The database: engine, sessions and the base of every ORM model."""
