"""Background processing of uploads and imports: from an archive to a version that can be trained on."""
