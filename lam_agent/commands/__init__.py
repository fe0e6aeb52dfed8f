"""The commands of `lam-agent`, one a file; `run` lies beside this folder."""
