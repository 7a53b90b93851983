"""The interfaces of the serving process: its gRPC services and its HTTP port."""
