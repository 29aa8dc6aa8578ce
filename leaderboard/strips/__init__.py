"""What a method retrieved: queries with their first ten images, right and wrong ones told apart."""
