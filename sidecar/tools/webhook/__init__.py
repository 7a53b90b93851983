"""The webhook's HTTP side: its routes, its certificate."""
