"""From what was seen to what is known: numbers in, numbers out. No I/O, no clock, no global randomness."""
