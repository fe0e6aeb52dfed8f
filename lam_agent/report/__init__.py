"""Reports: from the results of a run to text that people read."""
