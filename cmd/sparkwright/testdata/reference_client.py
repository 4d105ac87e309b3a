"""A client of the reference system: it knows the reference's wire contract and nothing of this server.

    python reference_client.py BASE_URL HOST PORT DATABASE USER < password

It saves a connection, looks into the database, asks about a table that it describes as the reference's own test script
does, hands the code back, selects tables in a session, follows a question up, and uploads a file. It fails at the first
answer that is not what the contract promises.
"""

import json
import sys
import time
import urllib.error
import urllib.request

BASE, HOST, PORT, DATABASE, USER = sys.argv[1:6]
PASSWORD = sys.stdin.readline().rstrip("\n")
TIMEOUT = 900


def call(method, path, body=None):
    """Returns status and decoded reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def expect(condition, what, seen):
    if not condition:
        result = seen.get("result") if isinstance(seen, dict) else None
        if isinstance(result, dict):
            result.pop("spark_code", None)  # it is long, and the fault comes after it
        sys.exit(f"{what}: {json.dumps(seen, indent=1, ensure_ascii=False)[:4000]}")


def rows(result):
    return [tuple(row.values()) for row in result["actual_results"]]


def post(path, body):
    status, reply = call("POST", path, body)
    expect(status == 200 and reply.get("success") is True, f"POST {path}", reply)
    return reply


def get(path):
    status, reply = call("GET", path)
    expect(status == 200, f"GET {path}", reply)
    return reply


def connect():
    """The page's way: test, save, browse."""
    login = {
        "host": HOST,
        "port": PORT,
        "database": DATABASE,
        "auth_method": "user_password",
        "username": USER,
        "password": PASSWORD,
    }
    tested = post("/postgres/test-connection", login)
    expect(tested["message"].startswith("Connection successful! PostgreSQL"), "test", tested)
    _, refused = call("POST", "/postgres/test-connection", login | {"password": "wrong"})
    expect(refused["success"] is False and refused["message"].startswith("Connection failed: "), "wrong password", refused)
    saved = post("/postgres/connections", login | {"name": "aurora", "is_update": False})["connection"]
    expect(saved["description"] == f"{HOST}:{PORT}/{DATABASE}" and saved["enabled"] is True, "save", saved)
    post("/postgres/connections", login | {"name": "aurora", "is_update": True})
    names = [c["name"] for c in get("/postgres/connections")["connections"]]
    expect(names == ["aurora"], "connections", names)
    expect(DATABASE in get("/postgres/aurora/databases")["databases"], "databases", None)
    expect("public" in get(f"/postgres/aurora/schemas/{DATABASE}")["schemas"], "schemas", None)
    tables = get(f"/postgres/aurora/tables/{DATABASE}/public")["tables"]
    found = next((t for t in tables if t["name"] == "order_details"), None)
    expect(found and {"name": "quantity", "type": "integer", "nullable": False} in found["columns"], "tables", tables)
    expect(PASSWORD not in json.dumps([saved, tables]), "the password is told", None)


def order_details():
    """The table as the reference's test script describes it."""
    return {
        "connection_name": "aurora",
        "database": DATABASE,
        "schema": "public",
        "table": "order_details",
        "jdbc_url": f"jdbc:postgresql://{HOST}:{PORT}/{DATABASE}",
        "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-AbCdEf",
        "auth_method": "user_password",
        "columns": [
            {"name": "order_id", "type": "integer"},
            {"name": "product_id", "type": "integer"},
            {"name": "unit_price", "type": "numeric"},
            {"name": "quantity", "type": "integer"},
            {"name": "discount", "type": "numeric"},
        ],
    }


def ask_and_hand_back():
    """The test script's question, with its three lines; then its code again."""
    session = f"pg-clean-{int(time.time())}"
    status, reply = call(
        "POST",
        "/spark/generate",
        {
            "prompt": "Show the top 10 product id by total quantity",
            "session_id": session,
            "framework": "spark",
            "execution_platform": "emr",
            "selected_postgres_tables": [order_details()],
        },
    )
    print(f"Status: {status}")
    result = reply.get("result") or {}
    code = result.get("spark_code") or ""
    jdbc, secrets = "jdbc:postgresql" in code, "get_secret_value" in code
    print(f"JDBC: {'✓' if jdbc else '✗'}, Secrets: {'✓' if secrets else '✗'}")
    print(f"Result: {result.get('execution_result')}")
    expect(status == 200 and jdbc and result.get("execution_result") == "success", "generate", reply)
    wanted = [(p, 10 * p) for p in range(30, 20, -1)]
    expect(rows(result) == wanted, "rows", result["actual_results"])
    expect(len(reply["session_id"]) >= 33, "session", reply)

    again = post("/spark/execute", {"spark_code": code, "session_id": session, "execution_platform": "emr"})
    expect(again["result"]["execution_result"] == "success" and rows(again["result"]) == wanted, "execute", again)
    edited = code.replace("LIMIT 10", "LIMIT 3")
    again = post("/spark/execute", {"spark_code": edited, "session_id": session})
    expect(rows(again["result"]) == wanted[:3], "edited code", again)
    history = get(f"/history/{session}")
    expect(len(history["conversation_history"]) == 1 and len(history["execution_results"]) == 3, "history", history)
    expect(history["conversation_history"][0]["generated_code"] == code, "generated code", history)


def converse():
    """Tables from the session, and a question that follows another one up."""
    session = "0f3c9d5e-6a1b-4c2d-8e7f-90a1b2c3d4e5"
    table = {"database": DATABASE, "schema": "public", "table": "order_details"}
    selected = post(f"/sessions/{session}/select-postgres-tables", {"connection_name": "aurora", "tables": [table]})
    expect(selected["selected_tables"][0]["jdbc_url"] == f"jdbc:postgresql://{HOST}:{PORT}/{DATABASE}", "select", selected)
    ask = {"session_id": session}
    first = post("/spark/generate", ask | {"prompt": "total quantity per product id"})
    expect(first["session_id"] == session and first["result"]["row_count"] == 30, "per product", first)
    follow = post("/spark/generate", ask | {"prompt": "just the top 2"})
    expect(rows(follow["result"]) == [(30, 300), (29, 290)], "follow-up", follow)
    declined = post("/spark/generate", ask | {"prompt": "what will the weather be tomorrow"})
    expect(declined["result"]["execution_result"] == "failed" and declined["result"]["execution_message"], "declined", declined)
    post(f"/sessions/{session}/reset", None)
    _, none = call("POST", "/spark/generate", ask | {"prompt": "total quantity"})
    expect(none["success"] is False and none["error"], "after the reset", none)


def upload():
    """A file, and a question over it."""
    session = "upload-session-0123456789-0123456789"
    content = "region,amount\nnorth,3\nsouth,4\nnorth,5\n"
    kept = post("/spark/upload-csv", {"filename": "../deliveries.csv", "content": content, "session_id": session})
    expect(kept["filename"] == "deliveries.csv" and kept["preview"].startswith("region,amount"), "upload", kept)
    reply = post("/spark/generate", {"prompt": "total amount per region", "session_id": session})
    expect(rows(reply["result"]) == [("north", 8), ("south", 4)], "question over the upload", reply)
    _, other = call("POST", "/spark/generate", {"prompt": "total amount per region", "session_id": session[::-1]})
    expect(other["success"] is False, "the upload of another session", other)


def main():
    expect(get("/health")["status"] == "healthy", "health", None)
    connect()
    ask_and_hand_back()
    converse()
    upload()
    status, reply = call("POST", "/spark/generate", {"prompt": "x"})
    expect(status == 422 and reply["detail"][0]["loc"] == ["body", "session_id"], "422", reply)
    print("the contract holds")


main()
