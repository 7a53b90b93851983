"""Code that all captures share: the sampler with its accounting, HTTP/2, the memory of open calls."""
