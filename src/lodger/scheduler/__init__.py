"""The schedule daemon: a loop that creates runs when the rows of schedules say that they are due.

It runs no user code and holds nothing in memory that matters: any number of daemons may live at once, in workers,
in web processes or by themselves, and each may die at any moment. What keeps an instant from being fired twice is
in the database (see ``lodger.store.fires``), so there is no leader to elect and none to lose.
"""
