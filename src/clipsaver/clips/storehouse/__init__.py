"""Order among the stored bytes: they are read again now and then, and what nobody needs any more goes."""
