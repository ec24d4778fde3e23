"""Room on the disks that the backend writes to: what is refused before they are full, and what continues."""
