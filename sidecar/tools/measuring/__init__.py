"""What a model costs here: measures it in chosen configurations and writes a performance table."""
