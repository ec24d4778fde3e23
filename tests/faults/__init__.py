"""Fault injection: kills of trainers, runners, warm parents, services, backends and PostgreSQL, and a failing network.

`make chaos` runs the long version, `make test-kills` a short one.
"""
