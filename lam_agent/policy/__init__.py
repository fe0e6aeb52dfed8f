"""The visual-action policy: camera encoders, transformer trunk, action-chunk head."""
