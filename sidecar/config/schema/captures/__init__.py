"""The configuration's half of every capture: its section, and the table that has a row for each."""
