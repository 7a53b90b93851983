"""Puts Pilotfish beside a model server in Kubernetes objects, and takes it out: data in, data out, no I/O."""
