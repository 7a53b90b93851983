"""The desired state, the models that servers have, and the captures that listen."""
