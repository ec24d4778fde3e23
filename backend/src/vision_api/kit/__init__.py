"""What every package uses and no domain word appears in."""
