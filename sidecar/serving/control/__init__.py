"""What should run: the desired state, what servers have, the captures that listen."""
