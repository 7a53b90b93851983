"""Ranking without traffic: candidates answer the rows of a file, or their answers stand in one."""
