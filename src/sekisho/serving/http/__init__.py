"""HTTP/1.1 on the wire: what may come in, in which order answers go out, and how long anything may take. It knows no model."""
