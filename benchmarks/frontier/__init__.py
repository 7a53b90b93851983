"""The random frontier on published results of image models, and what the frontier's kernels cost."""
