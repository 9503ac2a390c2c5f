"""Push-T, a task that others wrote: its expert, its demonstrations, policies and a leaderboard."""
