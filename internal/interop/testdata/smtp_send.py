"""Sends files with Python's smtplib as they are, one after the other over one
connection. The task comes as JSON in MAILSESSION_STORY."""

import json
import os
import smtplib
import ssl


def connect(task):
    """Returns a connection, secured as asked for."""
    context = ssl.create_default_context(cafile=task["ca"])
    if task["security"] == "tls":
        return smtplib.SMTP_SSL(task["host"], task["port"], "localhost", timeout=60, context=context)
    client = smtplib.SMTP(task["host"], task["port"], "localhost", timeout=60)
    if task["security"] == "starttls":
        client.starttls(context=context)
    return client


def login(client, task):
    """Signs in with the one mechanism that is asked for."""
    client.ehlo_or_helo_if_needed()
    client.user, client.password = task["user"], task["secret"]
    bearer = f"user={task['user']}\x01auth=Bearer {task['secret']}\x01\x01"
    answers = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login, "XOAUTH2": lambda challenge=None: bearer}
    client.auth(task["auth"], answers[task["auth"]])


def main():
    task = json.loads(os.environ["MAILSESSION_STORY"])
    mail, rcpt = ["BODY=8BITMIME"], []
    if task["dsn"]:
        mail += ["RET=HDRS", "ENVID=a+2Bb"]
        rcpt = ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;" + task["user"]]
    if not "".join([task["from"], *task["to"]]).isascii():
        mail.append("SMTPUTF8")
    with connect(task) as client:
        login(client, task)
        for name in task["files"]:
            with open(name, "rb") as file:
                refused = client.sendmail(task["from"], task["to"], file.read(), mail, rcpt)
            assert not refused, refused


if __name__ == "__main__":
    main()
