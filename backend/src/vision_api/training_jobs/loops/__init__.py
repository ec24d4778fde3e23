"""What moves training jobs along in the background. Each loop loads, processes and applies, in this order."""
