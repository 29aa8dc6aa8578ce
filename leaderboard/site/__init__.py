"""The pages as files: addresses, templates, data for scripts, and the folder."""
