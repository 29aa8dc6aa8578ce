"""What results hold, read for the pages: runs, the contest of methods, estimates."""
