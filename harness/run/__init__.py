"""One run, in a process of its own: what it works on, its steps, and what it leaves."""
