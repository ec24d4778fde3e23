"""The backend as a process: data directory, sockets, server and signals."""
