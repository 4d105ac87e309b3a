"""Entry point of ``python -m sparkwright_client``."""

from sparkwright_client.worker import main

main()
