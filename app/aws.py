"""What the service asks of AWS with its role, with the standard library alone (Signature Version 4): a parameter of
Systems Manager, a secret of Secrets Manager."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TYPE = "application/x-amz-json-1.1"
CREDENTIALS = "http://169.254.170.2"  # of a task on Fargate
SECONDS = 2.0  # an answer takes milliseconds

Ask = Callable[[urllib.request.Request], bytes]


@dataclass(frozen=True)
class Action:
    """`service` as in the host and in the signature, `target` as in the header X-Amz-Target."""

    service: str
    target: str


GET_PARAMETER = Action("ssm", "AmazonSSM.GetParameter")
GET_SECRET = Action("secretsmanager", "secretsmanager.GetSecretValue")


def ask(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        found: bytes = answer.read()
        return found


def get_parameter(name: str, env: Mapping[str, str], ask: Ask = ask) -> str | None:
    """Its value, None where there is none; OSError (urllib's) or ValueError where AWS does not say."""
    try:
        answer = _answer(GET_PARAMETER, {"Name": name}, env, ask)
    except urllib.error.HTTPError as error:
        if b"ParameterNotFound" in error.read():
            return None
        raise
    return str(answer["Parameter"]["Value"])


def get_secret(arn: str, env: Mapping[str, str], ask: Ask = ask) -> str:
    """Its text as it is now; OSError (urllib's), KeyError or ValueError where AWS does not say."""
    return str(_answer(GET_SECRET, {"SecretId": arn}, env, ask)["SecretString"])


def _answer(action: Action, body: Mapping[str, str], env: Mapping[str, str], ask: Ask) -> Any:
    return json.loads(ask(signed(action, body, env, credentials(env, ask), datetime.now(UTC))))


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


def signed(
    action: Action, asked: Mapping[str, str], env: Mapping[str, str], who: Mapping[str, Any], now: datetime
) -> urllib.request.Request:
    """The request of an action; AWS: IAM User Guide, Create a signed AWS API request."""
    region, body = env["AWS_REGION"], json.dumps(asked).encode()
    url = env.get("AWS_ENDPOINT_URL") or f"https://{action.service}.{region}.amazonaws.com"
    at = f"{now:%Y%m%dT%H%M%SZ}"
    headers = {"content-type": TYPE, "host": url.split("://", 1)[1], "x-amz-date": at}
    headers |= {"x-amz-security-token": who["Token"]} if who.get("Token") else {}
    headers |= {"x-amz-target": action.target}
    names = ";".join(headers)
    lines = "".join(f"{key}:{value}\n" for key, value in headers.items())
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{at[:8]}/{region}/{action.service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{who['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{who['AccessKeyId']}/{scope}"
    proof = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={key.hex()}"
    return urllib.request.Request(url, body, {**headers, "authorization": proof})
