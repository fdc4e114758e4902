"""Pictures of stored videos, room by room."""
