"""Programs that write `results/`: the tables and figures of the papers, as measured here."""
