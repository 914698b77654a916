"""One stage a file: the mathematics as plain functions, the PTransform after it."""
