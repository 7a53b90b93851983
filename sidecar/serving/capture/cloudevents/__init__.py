"""The event sink: takes CloudEvents of KServe's logger."""
