"""`lam-agent benchmark`: strategies and seeds side by side, each in a process of its own."""
