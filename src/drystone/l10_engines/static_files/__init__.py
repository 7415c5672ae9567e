"""A server for the files of a static site, run as an ordinary instance behind the edge."""
