"""Writes fastapi_models.json: what FastAPI says to malformed requests of the reference's models.

Run it in a virtual environment with fastapi and httpx:  python reference_models.py > fastapi_models.json
The models are written from the reference contract: names, order, types and defaults of the fields.
"""

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel


class Settings(BaseModel):
    ray_private_ip: str
    ray_public_ip: str
    s3_bucket: str
    ray_gateway_url: str
    ray_supervisor_arn: str
    global_bedrock_model: str
    global_code_gen_agent_arn: str
    global_bedrock_region: str
    spark_s3_bucket: str
    spark_lambda_function: str
    spark_emr_application_id: str
    spark_max_retries: int
    spark_file_size_threshold_mb: int
    spark_result_preview_rows: int
    spark_presigned_url_expiry_hours: int
    spark_lambda_timeout_seconds: int
    spark_emr_timeout_minutes: int
    spark_supervisor_arn: str


class SelectTables(BaseModel):
    tables: list[dict[str, str]]
    session_id: str


class SelectPostgresTables(BaseModel):
    connection_name: str
    tables: list[dict[str, str]]


class Generate(BaseModel):
    prompt: str
    session_id: str | None = None


class Execute(BaseModel):
    code: str
    session_id: str | None = None
    interactive: bool | None = False
    inputs: list[Any] | None = None


class Upload(BaseModel):
    filename: str
    content: str
    session_id: str | None = "default"


class SparkExecute(BaseModel):
    spark_code: str
    session_id: str
    s3_output_path: str | None = None
    execution_platform: str = "lambda"
    execution_engine: str = "auto"


class PostgresTest(BaseModel):
    host: str
    port: int = 5432
    database: str = "postgres"
    auth_method: str
    secret_arn: str | None = None
    username: str | None = None
    password: str | None = None


class PostgresConnection(BaseModel):
    name: str
    host: str
    port: int = 5432
    database: str = "postgres"
    auth_method: str
    secret_arn: str | None = None
    username: str | None = None
    password: str | None = None


app = FastAPI()


@app.post("/settings")
def settings(body: Settings) -> dict[str, bool]:
    return {"success": True}


@app.post("/sessions/{session_id}/select-tables")
def select_tables(session_id: str, body: SelectTables) -> dict[str, bool]:
    return {"success": True}


@app.post("/sessions/{session_id}/select-postgres-tables")
def select_postgres_tables(session_id: str, body: SelectPostgresTables) -> dict[str, bool]:
    return {"success": True}


@app.post("/generate")
def generate(body: Generate) -> dict[str, bool]:
    return {"success": True}


@app.post("/execute")
def execute(body: Execute) -> dict[str, bool]:
    return {"success": True}


@app.post("/upload-csv")
@app.post("/spark/upload-csv")
def upload(body: Upload) -> dict[str, bool]:
    return {"success": True}


@app.post("/spark/execute")
def spark_execute(body: SparkExecute) -> dict[str, bool]:
    return {"success": True}


@app.post("/postgres/test-connection")
def postgres_test(body: PostgresTest) -> dict[str, bool]:
    return {"success": True}


@app.post("/postgres/connections")
def postgres_connection(body: PostgresConnection) -> dict[str, bool]:
    return {"success": True}


SETTINGS: dict[str, Any] = dict.fromkeys(Settings.model_fields, "") | {
    name: 1 for name, field in Settings.model_fields.items() if field.annotation is int
}
CONNECTION = {"name": "shop", "host": "h", "auth_method": "user_password"}
TABLES = "/sessions/s/select-tables"
PG_TABLES = "/sessions/s/select-postgres-tables"

CASES: list[tuple[str, Any]] = [
    ("/settings", {}),
    ("/settings", SETTINGS | {"ray_private_ip": 1, "spark_max_retries": "three"}),
    ("/settings", SETTINGS | {"spark_max_retries": 1.5, "spark_emr_timeout_minutes": None}),
    ("/settings", SETTINGS | {"spark_max_retries": [], "spark_supervisor_arn": None}),
    ("/settings", SETTINGS | {"spark_max_retries": "1.5", "spark_result_preview_rows": ""}),
    ("/settings", SETTINGS | {"spark_max_retries": {}, "spark_result_preview_rows": 1e3}),
    ("/settings", SETTINGS | {"spark_max_retries": "999999999999999999999x"}),
    (TABLES, {}),
    (TABLES, {"tables": None, "session_id": "s"}),
    (TABLES, {"tables": "orders", "session_id": "s"}),
    (TABLES, {"tables": [1, {"database": 1, "table": None}, "x", None], "session_id": "s"}),
    (TABLES, {"tables": [{"database": "d", "table": "t"}]}),
    (PG_TABLES, {}),
    (PG_TABLES, {"connection_name": 1, "tables": [{"schema": ["s"]}]}),
    (PG_TABLES, {"connection_name": "shop", "tables": {"schema": "s"}}),
    ("/generate", {"session_id": 1}),
    ("/execute", {"code": "x", "interactive": "maybe", "inputs": 1}),
    ("/execute", {"code": "x", "interactive": 2}),
    ("/execute", {"code": "x", "interactive": [], "session_id": {}}),
    ("/upload-csv", {}),
    ("/upload-csv", {"filename": None, "content": 1, "session_id": 1}),
    ("/spark/upload-csv", {"filename": ["a"], "content": {"a": 1}}),
    ("/spark/execute", {"spark_code": 1, "s3_output_path": 1, "execution_platform": None}),
    ("/postgres/test-connection", {}),
    ("/postgres/test-connection", {"host": 1, "port": "x", "database": None, "auth_method": 1, "secret_arn": 1}),
    ("/postgres/test-connection", {"host": "h", "port": None, "auth_method": "iam", "username": 1, "password": 1}),
    ("/postgres/connections", {}),
    ("/postgres/connections", CONNECTION | {"port": "5432x"}),
    ("/postgres/connections", CONNECTION | {"port": 5432.5, "name": 5}),
    ("/postgres/connections", CONNECTION | {"port": True, "name": None}),
]


def main() -> None:
    client = TestClient(app)
    out = []
    for path, body in CASES:
        reply = client.post(path, json=body)
        if reply.status_code != 422:
            sys.exit(f"{path} {body}: HTTP {reply.status_code}")
        out.append({"path": path, "body": body, "reply": reply.json()})
    json.dump(out, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
