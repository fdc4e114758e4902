"""Bytes from where Discord keeps them: only from named origins, checked, whole, and at a bearable speed."""
