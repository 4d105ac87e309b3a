"""One pre-imported Spark Connect client process.

Started by the Go executor as ``python -m sparkwright_client``, it imports what
a Spark job needs and then waits for requests: check a piece of analysis code
(policy), try it on empty tables (dryrun), and finally carry out one job script
(run), after which it exits. The protocol is described in worker.py.
"""
