"""Reduces the schema that npm's @cdktn/provider-aws embeds to the types this module uses.

    npm pack @cdktn/provider-aws@25.7.0
    python3 reduce.py cdktn-provider-aws-25.7.0.tgz > aws.json

The package holds, for every argument and block of the AWS provider, its name,
type, whether it is required, and whether a block may stand more than once. It
is 40 MB large and stays outside the repository; aws.json is what the tests read.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile

RESOURCES = """
aws_bedrockagentcore_agent_runtime aws_cloudwatch_log_group aws_emrserverless_application aws_iam_role
aws_iam_role_policy aws_lambda_function aws_lambda_function_event_invoke_config aws_route_table
aws_route_table_association aws_s3_bucket aws_s3_bucket_lifecycle_configuration
aws_s3_bucket_ownership_controls aws_s3_bucket_policy aws_s3_bucket_public_access_block
aws_s3_bucket_server_side_encryption_configuration aws_s3_bucket_versioning aws_s3_object
aws_secretsmanager_secret aws_security_group aws_subnet aws_vpc aws_vpc_endpoint
aws_vpc_security_group_egress_rule aws_vpc_security_group_ingress_rule
""".split()
DATA = ["aws_availability_zones", "aws_caller_identity", "aws_partition", "aws_region"]

INTERFACE = re.compile(r"^export interface (\w+)[^{]*\{\n(.*?)^\}", re.M | re.S)
MEMBER = re.compile(r"/\*\*(.*?)\*/\s*readonly (\w+)(\??): (.*?);\n(?=\s*(?:/\*\*|$))", re.S)
NAME = re.compile(r"\{@link \S*?#(\w+) ")
# Getters of computed attributes in the compiled class.
COMPUTED = re.compile(r"get(?:String|Number|Boolean|List|NumberList|StringMap|\w+Map)Attribute\('(\w+)'\)")
REFERENCE = re.compile(r"new (?:\w+\.)?\w+\(this, \"(\w+)\"")


def kind(text: str) -> str:
    """Returns the coarse type of an argument: string, number, bool, list, map or any."""
    text = text.strip()
    if text.startswith("{"):
        return "map"
    if text.startswith("boolean"):
        return "bool"
    if "[]" in text:
        return "list"
    return text if text in ("string", "number") else "any"


def block(name: str, interfaces: dict[str, str]) -> dict[str, object]:
    """Returns the arguments and blocks of one interface."""
    attributes: dict[str, object] = {}
    blocks: dict[str, object] = {}
    for comment, _, optional, text in MEMBER.findall(interfaces[name]):
        found = NAME.search(comment)
        if not found:
            continue
        key = found.group(1)
        base = re.match(r"(\w+)(\[\])?", text.strip())
        nested = base.group(1) if base else ""
        if nested in interfaces:
            inner = block(nested, interfaces)
            if base and not base.group(2):
                inner["max"] = 1
            if not optional:
                inner["required"] = True
            blocks[key] = inner
        else:
            attributes[key] = kind(text) + ("" if optional else "!")
    out: dict[str, object] = {"attributes": dict(sorted(attributes.items()))}
    if blocks:
        out["blocks"] = dict(sorted(blocks.items()))
    return out


def schema(tar: tarfile.TarFile, directory: str) -> dict[str, object]:
    """Returns the schema of one resource, data source or provider."""

    def text(name: str) -> str:
        member = tar.extractfile(f"package/lib/{directory}/{name}")
        assert member is not None
        return member.read().decode()

    types = text("index.d.ts")
    # Large types keep their structs in a file of their own, which an index names.
    for extra in tar.getnames():
        if (
            extra.startswith(f"package/lib/{directory}/")
            and extra.endswith(".d.ts")
            and not extra.endswith("/index.d.ts")
        ):
            types += text(extra.removeprefix(f"package/lib/{directory}/"))
    interfaces = dict(INTERFACE.findall(types))
    root = (
        next(
            n
            for n in interfaces
            if n.endswith("Config") and "TerraformMetaArguments" in re.search(rf"interface {n}[^{{]*", types).group(0)
        )
        if directory != "provider"
        else "AwsProviderConfig"
    )
    out = block(root, interfaces)
    code = text("index.js")
    last = code[code.rindex("static tfResourceType") :]
    known = set(out["attributes"]) | set(out.get("blocks", {}))  # type: ignore[call-overload]
    out["computed"] = sorted((set(COMPUTED.findall(last)) | set(REFERENCE.findall(last))) - known)
    return out


def main() -> None:
    """Writes the reduced schema to standard output."""
    with tarfile.open(sys.argv[1]) as tar:
        package = tar.extractfile("package/package.json")
        assert package is not None
        meta = json.load(package)
        out = {
            "notice": "Derived from @cdktn/provider-aws, Copyright IBM Corp. 2021, 2026, under the Mozilla Public "
            "License 2.0 (https://mozilla.org/MPL/2.0/). Reduced to names, types and nesting by reduce.py.",
            "package": f"{meta['name']}@{meta['version']}",
            "provider": meta["cdktn"]["provider"]["version"] if "cdktn" in meta else "",
            "resources": {r: schema(tar, r.removeprefix("aws_").replace("_", "-")) for r in RESOURCES},
            "data": {d: schema(tar, "data-" + d.replace("_", "-")) for d in DATA},
            "provider_block": schema(tar, "provider"),
        }
    json.dump(out, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


main()
