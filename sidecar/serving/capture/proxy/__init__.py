"""The proxy: relays gRPC to the upstream and reads along, or answers itself where there is none."""
