"""The observer of Envoy, `observer`: takes what Envoy's external processing filter tells."""
