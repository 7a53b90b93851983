"""The proxy of HTTP/1.1, `rest`: reads along with V2 over REST."""
