"""From a benchmark's folder, as its authors publish it, to Parquet files that the harness reads."""
