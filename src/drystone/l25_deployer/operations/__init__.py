"""Operations on what is deployed: how many instances, restarts, what happened, and ways in for people."""
