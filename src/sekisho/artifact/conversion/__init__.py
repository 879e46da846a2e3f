"""Compiling scikit-learn models to ONNX: pipelines and encoders by our own rules, single estimators by skl2onnx."""
