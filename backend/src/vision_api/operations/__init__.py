"""Operations: predict, export, evaluate and preflight, each a job of its own kind."""
