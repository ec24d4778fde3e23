"""Registered models: named results, `project/name:version`, with weights of their own and their lineage."""
