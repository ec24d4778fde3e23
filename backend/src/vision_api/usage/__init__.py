"""How much room everything takes: what rows say, and what really lies in storage."""
