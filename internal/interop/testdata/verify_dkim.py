"""Verifies the first DKIM signature of a message with dkimpy.

Reads {"name", "value", "message"} as JSON from standard input: the name and the
value of the TXT record, and the message in base64. Prints True or False.
"""

import base64
import json
import sys

import dkim

question = json.load(sys.stdin)


def txt(name, timeout=5):
    """Answers for the DNS."""
    if isinstance(name, bytes):
        name = name.decode()
    if name.rstrip(".").lower() != question["name"].lower():
        return None
    return question["value"].encode()


try:
    print(dkim.DKIM(base64.b64decode(question["message"])).verify(dnsfunc=txt))
except dkim.DKIMException as e:
    print(e, file=sys.stderr)
    print(False)
