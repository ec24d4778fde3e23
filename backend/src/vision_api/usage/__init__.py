"""Storage usage: sizes by the rows, and sizes of the objects that the storage lists."""
