"""What the command line shows: tables, bars and verdicts."""
