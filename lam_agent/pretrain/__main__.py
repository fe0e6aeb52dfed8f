"""`python -m lam_agent.pretrain` is `lam-agent pretrain`."""

import sys

from lam_agent.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["pretrain", *sys.argv[1:]]))
