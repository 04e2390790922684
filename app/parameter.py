"""One parameter of AWS Systems Manager, asked for with the standard library alone (Signature Version 4)."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

TARGET, TYPE = "AmazonSSM.GetParameter", "application/x-amz-json-1.1"
CREDENTIALS = "http://169.254.170.2"  # of a task on Fargate
SECONDS = 2.0  # an answer takes milliseconds

Ask = Callable[[urllib.request.Request], bytes]


def ask(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        found: bytes = answer.read()
        return found


def get_parameter(name: str, env: Mapping[str, str], ask: Ask = ask) -> str | None:
    """Its value, None where there is none; OSError (urllib's) or ValueError where AWS does not say."""
    try:
        answer = json.loads(ask(signed(name, env, credentials(env, ask), datetime.now(UTC))))
    except urllib.error.HTTPError as error:
        if b"ParameterNotFound" in error.read():
            return None
        raise
    return str(answer["Parameter"]["Value"])


def credentials(env: Mapping[str, str], ask: Ask) -> Mapping[str, Any]:
    """As AWS's own libraries find them: in the environment, else from the task's address."""
    if "AWS_ACCESS_KEY_ID" in env:
        names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
        return {**{ours: env[theirs] for ours, theirs in names.items()}, "Token": env.get("AWS_SESSION_TOKEN", "")}
    where = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if not where:
        raise ValueError("the task has no role: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    found: Mapping[str, Any] = json.loads(ask(urllib.request.Request(CREDENTIALS + where)))
    return found


def signed(name: str, env: Mapping[str, str], who: Mapping[str, Any], now: datetime) -> urllib.request.Request:
    """GetParameter; AWS: IAM User Guide, Create a signed AWS API request."""
    region, body = env["AWS_REGION"], json.dumps({"Name": name}).encode()
    url = env.get("AWS_ENDPOINT_URL") or f"https://ssm.{region}.amazonaws.com"
    at = f"{now:%Y%m%dT%H%M%SZ}"
    headers = {"content-type": TYPE, "host": url.split("://", 1)[1], "x-amz-date": at}
    headers |= {"x-amz-security-token": who["Token"]} if who.get("Token") else {}
    headers |= {"x-amz-target": TARGET}
    names = ";".join(headers)
    lines = "".join(f"{key}:{value}\n" for key, value in headers.items())
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{at[:8]}/{region}/ssm/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{who['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{who['AccessKeyId']}/{scope}"
    proof = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={key.hex()}"
    return urllib.request.Request(url, body, {**headers, "authorization": proof})
