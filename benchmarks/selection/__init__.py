"""How well rankings and their measures pick the best candidate on real domains; see `__main__`."""
