"""A program with nothing but /readyz, which says no until it was asked three times: for the tests of `make up`."""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

ASKED: list[str] = []


class Readiness(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append(self.path)
        self.send_response(200 if len(ASKED) >= 3 and self.path == "/readyz" else 503)
        self.end_headers()


if __name__ == "__main__":
    sys.stderr.write("starting\n")
    HTTPServer(("127.0.0.1", int(os.environ["PMA_PORT"])), Readiness).serve_forever()
