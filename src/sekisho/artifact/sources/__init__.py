"""Where tables come from: one module a library, each imported only when a table of its library is given."""
