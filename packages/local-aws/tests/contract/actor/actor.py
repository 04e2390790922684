"""The container of the contract suite: it follows instructions, and counts its requests.

Environment: NAME; SAY, a line to print at the start; SHOW, names of variables to print; EXIT, a code to exit with at
once; WRITE, to try to write a file; HEALTH, the status of health checks until changed; DEAF, to ignore SIGTERM.

    /health/X                    a health check, whatever X is
    /become/X?status=S&times=N   the next N answers of /health/X are S, then 200 (N 0: from now on S)
    /who                         JSON: name, how often each X was asked and said no, slow requests under way
    /slow?seconds=N              answers after N seconds
    /status?code=N               answers with this status
    /exit?code=N                 ends the process
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()
told: dict[str, tuple[int, int]] = {}  # health check -> status, how many times more (0: for good)
asked: dict[str, int] = {}
refused: dict[str, int] = {}
busy = 0  # slow requests under way


def say(line: str) -> None:
    print(line, flush=True)


def checked(name: str) -> int:
    """The status of one health check; it is counted."""
    with lock:
        status, times = told.get(name, (int(os.environ.get("HEALTH", "200")), 0))
        if times == 1:
            told[name] = (200, 0)
        elif times:
            told[name] = (status, times - 1)
        asked[name] = asked.get(name, 0) + 1
        refused[name] = refused.get(name, 0) + (status != 200)
        return status


def become(name: str, status: int, times: int) -> None:
    with lock:
        told[name] = (status, times)
        asked[name] = refused[name] = 0


def be_slow(seconds: float) -> None:
    global busy
    busy += 1
    say("slow begins")
    time.sleep(seconds)
    say("slow ends")
    busy -= 1


def written() -> str:
    try:
        with open("/written", "w") as file:
            file.write("x")
    except OSError as error:
        return str(error)
    return "written"


class Actor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for an answer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        name = url.path.rpartition("/")[2]
        match url.path.split("/")[1]:
            case "health":
                self.answer({}, checked(name))
            case "become":
                become(name, int(query["status"]), int(query.get("times", "0")))
                self.answer({})
            case "slow":
                be_slow(float(query["seconds"]))
                self.answer({"name": os.environ.get("NAME", "")})
            case "status":
                self.answer({}, int(query["code"]))
            case "exit":
                self.answer({})
                self.wfile.flush()
                os._exit(int(query["code"]))
            case _:
                with lock:
                    counted = {"asked": dict(asked), "refused": dict(refused), "busy": busy}
                self.answer({"name": os.environ.get("NAME", ""), **counted})

    def answer(self, value: dict[str, object], status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(port: int) -> Server:
    return Server(("0.0.0.0", port), Actor)


def on_sigterm(*_: object) -> None:
    say("SIGTERM")
    if not os.environ.get("DEAF"):
        os._exit(0)


def main() -> None:
    if line := os.environ.get("SAY"):
        say(line)
    for name in filter(None, os.environ.get("SHOW", "").split(",")):
        say(f"{name}={os.environ.get(name)}")
    if os.environ.get("WRITE"):
        say(written())
    if code := os.environ.get("EXIT"):
        sys.exit(int(code))
    signal.signal(signal.SIGTERM, on_sigterm)
    say("ready")
    serve(int(os.environ.get("PORT", "8080"))).serve_forever(0.05)


if __name__ == "__main__":
    main()
