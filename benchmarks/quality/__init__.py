"""How fast a model is judged."""
