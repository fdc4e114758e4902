"""The pool, the schema and the embedded server."""
