"""What Lodger asks of the operating system: processes, their signals, their manners and their limits.

Nothing here knows of jobs, of the database or of settings.
"""
