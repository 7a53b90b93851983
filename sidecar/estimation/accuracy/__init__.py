"""From the candidates' answers to estimated accuracy with interval and state."""
