"""The engine: claims runs, has them executed, records what they came to."""
