"""PaperDolls: pedestrians drawn by this project, with captions, free of licence and of network."""
