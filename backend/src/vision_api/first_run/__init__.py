"""What a fresh database gets: an administrator, and locally a project with which to try the platform."""
