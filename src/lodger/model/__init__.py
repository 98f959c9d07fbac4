"""Values and pure decisions: no clock, no I/O."""
