"""Which table layout and which statement shapes the queue should use, measured with raw drivers."""
