"""How a job's code is run: on an event loop, in a thread, in a process of its own."""
