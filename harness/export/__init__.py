"""What others read of results: TREC files, model cards, embeddings."""
