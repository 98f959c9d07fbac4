"""The suite behind `make bench`: one module per thing measured, each a function of a Bench."""
