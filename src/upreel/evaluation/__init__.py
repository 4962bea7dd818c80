"""Quality and speed as commands print them: sets, runs, peers, reports."""
