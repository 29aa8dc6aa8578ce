"""What every method must keep to, as checks that run on drawn people in seconds."""
