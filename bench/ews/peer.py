"""Does a task with exchangelib."""

import json
import os

SUMMARY = (
    "subject", "author", "sender", "to_recipients", "cc_recipients", "reply_to", "message_id", "in_reply_to", "references",
    "datetime_sent", "datetime_received", "size", "is_read", "importance", "categories",
)


def account(task):
    from exchangelib import BASIC, DELEGATE, Account, Build, Configuration, Credentials, Version

    scheme = "https" if task["tls"] else "http"
    config = Configuration(
        service_endpoint=f"{scheme}://{task['address']}/EWS/Exchange.asmx", credentials=Credentials(task["user"], task["password"]),
        auth_type=BASIC, version=Version(Build(15, 1), "Exchange2016"),
    )
    return Account(task["user"], config=config, autodiscover=False, access_type=DELEGATE)


def main():
    task = json.loads(os.environ["MAILSESSION_BENCH_TASK"])
    if task["tls"]:
        os.environ["REQUESTS_CA_BUNDLE"] = task["caFile"]
    inbox = account(task).inbox
    messages, size = 0, 0
    if task["kind"] == "full":
        for message in inbox.all().only("mime_content"):
            messages += 1
            size += len(message.mime_content)
    else:
        for message in inbox.all().only(*SUMMARY):
            messages += 1
            size += len(message.subject)
    print(messages, size)


main()
