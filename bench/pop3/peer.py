"""Does a task with Python's poplib."""

import json
import os
import poplib
import ssl

poplib._MAXLINE = 10_000_000


def main():
    task = json.loads(os.environ["MAILSESSION_BENCH_TASK"])
    host, port = task["address"].rsplit(":", 1)
    context = ssl.create_default_context(cafile=task["caFile"])
    client = poplib.POP3_SSL(host, int(port), context=context)
    client.user(task["user"])
    client.pass_(task["password"])
    messages, size = 0, 0
    for line in client.uidl()[1]:
        _, lines, _ = client.retr(int(line.split()[0]))
        messages += 1
        size += sum(len(text) + 2 for text in lines)
    client.quit()
    print(messages, size)


main()
