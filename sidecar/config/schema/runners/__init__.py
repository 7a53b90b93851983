"""The configuration's half of every runner: its section. The rows are fields of `Candidate`."""
