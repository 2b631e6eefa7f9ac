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


def listed(inbox):
    """Tells how many messages there are, how long their subjects are, and their ids."""
    ids, size = [], 0
    for message in inbox.all().only(*SUMMARY):
        ids.append((message.id, message.changekey))
        size += len(message.subject)
    return len(ids), size, ids


def read(messages):
    """Tells how many messages there are, and how long they are."""
    count, size = 0, 0
    for message in messages:
        count += 1
        size += len(message.mime_content)
    return count, size


def main():
    task = json.loads(os.environ["MAILSESSION_BENCH_TASK"])
    if task["tls"]:
        os.environ["REQUESTS_CA_BUNDLE"] = task["caFile"]
    inbox = account(task).inbox
    if task["kind"] == "full":
        count, size = read(inbox.all().only("mime_content"))
    else:
        count, size, ids = listed(inbox)
        if task["kind"] == "both":
            count, more = read(inbox.account.fetch(ids, only_fields=["mime_content"]))
            size += more
    print(count, size)


main()
