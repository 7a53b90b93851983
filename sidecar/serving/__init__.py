"""The serving process: takes traffic in, hands samples to the scoring process, serves what that one found."""
