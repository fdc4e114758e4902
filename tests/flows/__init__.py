"""The straight paths of the design, from the door to the rows: a whole program on a whole Discord."""
