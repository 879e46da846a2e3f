"""Real data that ships with the package: enough to walk the whole road without the internet.

Each example is a sub-package with a table, a ``SOURCE.md`` that says where the data come from and under which licence, and the names
that a contract needs.
"""
