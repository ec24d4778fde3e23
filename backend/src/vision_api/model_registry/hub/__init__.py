"""Registered models on their way to the Hugging Face hub, or to another server that speaks its protocol."""
