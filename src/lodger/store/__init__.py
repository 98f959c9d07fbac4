"""All SQL: a module per noun, a function per operation."""
