"""What production requires: the typed contract, its loader, and the project it speaks for."""
