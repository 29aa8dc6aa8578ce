"""The static leaderboard: run records in, a folder of HTML out."""
