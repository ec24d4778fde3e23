"""What people do after a training, and before one: predict, export, evaluate, preflight."""
