"""Parts that methods share, open to third-party methods too."""
