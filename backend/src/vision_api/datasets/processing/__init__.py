"""Background processing of uploads and imports: from an archive to a version that is ready for training."""
