#!/usr/bin/env python3
"""Asks a PostgreSQL question by POST /spark/generate and checks the answer.

Prints three lines, the checks of the reference system's script of this name:

    Status: 200
    JDBC: ✓, Secrets: ✓
    Result: success

and what the answer says of the run. Needs Python 3.9 or newer and nothing
else. Exit code 0 when all three lines are as above, 1 when one is not, 2 when
the server cannot be asked.

    scripts/test_pg_clean.py --url http://127.0.0.1:8000 --jdbc-url jdbc:postgresql://HOST:5432/DB \\
        --secret-arn arn:aws:secretsmanager:… --connection aurora --table public.order_details
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request


def arguments():
    p = argparse.ArgumentParser(description="Ask a PostgreSQL question over HTTP and check the answer.")
    p.add_argument("--url", default="http://127.0.0.1:8000", help="of the server")
    p.add_argument("--question", default="What are the top 10 products by quantity?")
    p.add_argument("--connection", default="aurora", help="name of the connection")
    p.add_argument("--table", default="public.order_details", help="schema.table")
    p.add_argument("--jdbc-url", required=True, help="jdbc:postgresql://HOST:PORT/DATABASE")
    p.add_argument("--secret-arn", required=True, help="of the login in Secrets Manager")
    p.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME:TYPE",
        help="a column of the table, where the server cannot reach the database; may be repeated",
    )
    p.add_argument("--timeout", type=float, default=900, help="seconds to wait for the answer")
    return p.parse_args()


def ask(args):
    """Posts the question; returns the HTTP status and the decoded answer."""
    schema, _, table = args.table.partition(".")
    columns = [dict(zip(("name", "type"), c.split(":", 1))) for c in args.column]
    body = {
        "prompt": args.question,
        "session_id": "pg-clean-%d" % time.time(),
        "framework": "spark",
        "execution_platform": "emr",
        "selected_postgres_tables": [
            {
                "connection_name": args.connection,
                "database": args.jdbc_url.rsplit("/", 1)[1].split("?")[0],
                "schema": schema,
                "table": table,
                "jdbc_url": args.jdbc_url,
                "secret_arn": args.secret_arn,
                "auth_method": "secrets_manager",
                **({"columns": columns} if columns else {}),
            }
        ],
    }
    request = urllib.request.Request(
        args.url.rstrip("/") + "/spark/generate",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=args.timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


def main():
    args = arguments()
    try:
        status, answer = ask(args)
    except (OSError, ValueError) as error:
        print("the server cannot be asked: %s" % error, file=sys.stderr)
        return 2
    result = answer.get("result") or {}
    code = result.get("spark_code") or ""
    jdbc, secrets = "jdbc:postgresql" in code, "get_secret_value" in code
    outcome = result.get("execution_result")
    mark = {True: "✓", False: "✗"}
    print("Status: %s" % status)
    print("JDBC: %s, Secrets: %s" % (mark[jdbc], mark[secrets]))
    print("Result: %s" % outcome)
    for name, value in (
        ("Run", result.get("run_id")),
        ("Place", answer.get("placement_reason")),
        ("Rows", result.get("row_count")),
        ("Output", result.get("s3_output_path")),
        ("Message", result.get("execution_message")),
        ("Error", answer.get("error")),
    ):
        if value not in (None, ""):
            print("%s: %s" % (name, value))
    return 0 if status == 200 and jdbc and secrets and outcome == "success" else 1


if __name__ == "__main__":
    sys.exit(main())
