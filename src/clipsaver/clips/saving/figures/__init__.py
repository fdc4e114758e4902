"""How far saving is, as all processes tell it together: sums that the clips keep by themselves, and who is halted."""
