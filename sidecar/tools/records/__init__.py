"""Files of the performance room: tables of measurements (Parquet) and fitted models (safetensors)."""
