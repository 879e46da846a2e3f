"""Scoring tables: ours beside raw ONNX Runtime, and beside pandas with scikit-learn."""
