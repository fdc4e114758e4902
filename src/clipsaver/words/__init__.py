"""What people read: sentences, components and tables as plain data."""
