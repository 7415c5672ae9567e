"""What services cost, by whom they are charged to: sizes times a table of prices."""
