"""What the log answers: who did what, what it cost, why it failed. Pure functions over records."""
