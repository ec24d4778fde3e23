"""Check that every card of a catalogue trains: each takes one training step and one validation, by the service's own
trainer.

catalogue ── smallest card first ──▶ command ── fork ──▶ trial of one card ──▶ build/catalog-check/<framework>.jsonl
"""

from trainer_kit.catalog_check.command import check_command

__all__ = ["check_command"]
