"""One attempt of a run: its job is called, may write about itself, and ends somehow."""
