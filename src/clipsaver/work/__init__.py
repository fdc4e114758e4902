"""How work is found and held: stations with leases, and jobs by the clock."""
