"""Reading, checking, drawing and caching datasets."""
