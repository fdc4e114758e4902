"""What Discord said and how it is asked: snapshots, permissions, and the one way to its REST API."""
