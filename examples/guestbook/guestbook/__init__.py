"""A guestbook: the example service of Drystone."""
