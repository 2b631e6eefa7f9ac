"""What the stories of this folder share: arguments, TLS, tokens, output.

A story is the way of a person through a mail program, told with Python's own
clients. Each step prints one line of JSON on standard output. The password or
the access token comes in an environment variable, never in an argument, and
is never printed.

Exit codes: 0 all steps were taken, 1 a step failed, 3 the login was refused.
"""

import argparse
import json
import os
import ssl
import sys

SECRET = "MAILSESSION_STORY_SECRET"
REFUSED = 3


def parser(description):
    """Returns a parser for what every story needs."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--host", default="localhost")
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--security", choices=["none", "tls", "starttls"], required=True)
    p.add_argument("--ca", help="PEM file of the authority that signed the server's certificate")
    p.add_argument("--user", required=True)
    p.add_argument("--auth", choices=["password", "xoauth2", "oauthbearer", "apop"], default="password")
    p.add_argument("--timeout", type=float, default=60, help="seconds for each answer of the server")
    return p


def secret():
    """Returns the password or the access token."""
    value = os.environ.get(SECRET, "")
    if not value:
        sys.exit(f"the password or the token has to be in the environment variable {SECRET}")
    return value


def context(args):
    """Returns TLS settings that trust the authority alone."""
    if args.security == "none":
        return None
    return ssl.create_default_context(cafile=args.ca)


class Bearer:
    """Answers what a SASL exchange with an access token asks.

    The first answer holds the token. A server that refuses it sends a
    challenge with the reason, which is kept; the answer to that ends the
    exchange: an empty line for XOAUTH2, a single ^A for OAUTHBEARER
    (RFC 7628, section 3.2.3).
    """

    def __init__(self, auth, user, token):
        self.mechanism = auth.upper()
        self.challenge = None
        if auth == "xoauth2":
            self.first = f"user={user}\x01auth=Bearer {token}\x01\x01"
            self.last = ""
        else:
            self.first = f"n,a={user},\x01auth=Bearer {token}\x01\x01"
            self.last = "\x01"

    def answer(self, challenge=None):
        """Returns the next answer as text."""
        if not challenge:
            return self.first
        self.challenge = challenge.decode("utf-8", "replace")
        return self.last


def say(step, **facts):
    """Prints what a step saw as one line of JSON."""
    print(json.dumps({"step": step, **facts}, ensure_ascii=False), flush=True)


def refuse(reason, bearer=None):
    """Prints that the login was refused, with the server's reasons, and ends."""
    say("login", ok=False, reason=reason, challenge=bearer.challenge if bearer else None)
    sys.exit(REFUSED)
