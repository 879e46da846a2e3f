"""The Open Inference Protocol (version 2), apart from the wire: tensors in, tensors out, what is said of the model."""
