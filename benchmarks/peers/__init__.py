"""Lodger beside other job systems, in one run: each peer in its own virtual environment, turn by turn."""
