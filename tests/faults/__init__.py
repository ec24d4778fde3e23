"""The platform while things die: trainers, runners, warm parents, services, backends, PostgreSQL and the network.

`make chaos` plays the long version; `make test-kills` a short one.
"""
