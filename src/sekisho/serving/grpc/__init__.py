"""The Open Inference Protocol over gRPC: the same desk, guards and books as over HTTP, on a port of its own."""
