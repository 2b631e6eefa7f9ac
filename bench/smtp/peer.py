"""Sends a message many times with smtplib, as the task in MAILSESSION_BENCH_TASK
says."""

import json
import os
import smtplib
import ssl
import threading


def main():
    task = json.loads(os.environ["MAILSESSION_BENCH_TASK"])
    with open(task["file"], "rb") as file:
        raw = file.read()
    count, connections = task["messages"], task["connections"]
    shares = [count // connections + (n < count % connections) for n in range(connections)]
    failures = []

    def work(share):
        try:
            send(task, raw, share)
        except (OSError, smtplib.SMTPException) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    print(count, count * len(raw))


def send(task, raw, share):
    """Sends the message over one connection."""
    host, _, port = task["address"].rpartition(":")
    with smtplib.SMTP(host, int(port), "localhost", timeout=60) as client:
        if task["startTLS"]:
            client.starttls(context=ssl.create_default_context(cafile=task["caFile"]))
        if task["user"]:
            client.login(task["user"], task["password"])
        for _ in range(share):
            client.sendmail(task["from"], [task["to"]], raw)


if __name__ == "__main__":
    main()
