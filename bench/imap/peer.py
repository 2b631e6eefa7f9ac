"""Does a task with Python's imaplib."""

import imaplib
import json
import os
import ssl

imaplib._MAXLINE = 10_000_000

ITEMS = {
    "full": "(UID BODY.PEEK[])",
    "summaries": "(UID ENVELOPE FLAGS INTERNALDATE RFC822.SIZE)",
    "collect": "(UID ENVELOPE FLAGS INTERNALDATE RFC822.SIZE)",
}


def connect(task):
    host, port = task["address"].rsplit(":", 1)
    if task["tls"]:
        context = ssl.create_default_context(cafile=task["caFile"])
        return imaplib.IMAP4_SSL(host, int(port), ssl_context=context)
    return imaplib.IMAP4(host, int(port))


def main():
    task = json.loads(os.environ["MAILSESSION_BENCH_TASK"])
    client = connect(task)
    client.login(task["user"], task["password"])
    _, (exists,) = client.select(task["folder"], readonly=True)
    messages, size, kept = 0, 0, []
    for first in range(1, int(exists) + 1, 100):
        _, answer = client.fetch(f"{first}:{first + 99}" if first + 99 <= int(exists) else f"{first}:*", ITEMS[task["kind"]])
        if task["kind"] == "full":
            bodies = [item[1] for item in answer if isinstance(item, tuple)]
            messages += len(bodies)
            size += sum(map(len, bodies))
        else:
            # A message is a line, and more pieces where it has literals.
            messages += sum(1 for item in answer if (item[0] if isinstance(item, tuple) else item).find(b" (UID ") > 0)
        if task["kind"] == "collect":
            kept += answer
    client.logout()
    print(messages, size)


main()
