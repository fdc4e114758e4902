"""People: who wrote, owns or asks, as Discord names them."""
