"""Support for tests of several packages: services, hubs, rows and clients to test against."""
