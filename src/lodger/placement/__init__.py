"""Where the worker lives: a child or a thread of the web service, or a service of its own."""
