"""What the app's own code holds in its hands: jobs to enqueue, handles of runs."""
