"""The models that can be trained: one catalogue of every framework."""
