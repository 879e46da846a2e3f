"""Tables of any size scored in constant memory: read in pieces, judged by the rules of a signature, answered, written whole or not at all."""
