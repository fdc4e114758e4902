"""PostgreSQL: the pool, the schema, and the server that comes with the program."""
