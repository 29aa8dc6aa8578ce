"""What can be told of a dataset, and whether figures on it would mean anything."""
