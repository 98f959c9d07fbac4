"""Internet dating: a small site whose profile videos are read and cut by background jobs."""
