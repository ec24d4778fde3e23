"""Background loops that move training jobs along. Each loads, processes and applies, in this order."""
