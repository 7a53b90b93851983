"""What others ask: the gRPC services, health, reflection, and the HTTP port. Computes nothing."""
