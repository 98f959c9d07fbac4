"""Background jobs that lodge in the database your application already has."""
