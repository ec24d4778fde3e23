"""Technical parts without domain words, for every package of the backend."""
