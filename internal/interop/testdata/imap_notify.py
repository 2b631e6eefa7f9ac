"""Has Python's imaplib be told of another folder by NOTIFY, within IDLE.

A second session puts a message into the folder and marks it. imaplib knows neither
command: both are said by its own means for commands that it does not know.
"""

import imaplib
import re

import imap_story
import story

imaplib.Commands["NOTIFY"] = ("AUTH", "SELECTED")
STATUS = re.compile(rb'\* STATUS "?Archive"? \((?P<items>[^)]*)\)')


def heard(client):
    """Returns what the next STATUS of the folder tells."""
    while True:
        line = client.readline()
        if not line:
            raise imap_story.Failed("the connection ended")
        found = STATUS.match(line)
        if found:
            words = found["items"].decode().split()
            return dict(zip(words[::2], map(int, words[1::2])))


def main():
    args = story.parser(__doc__.splitlines()[0]).parse_args()
    with imap_story.connect(args) as client, imap_story.connect(args) as other:
        imap_story.login(client, args)
        imap_story.login(other, args)
        events = "(MAILBOXES (INBOX Archive) (MessageNew MessageExpunge FlagChange))"
        imap_story.check("NOTIFY", client._simple_command("NOTIFY", "SET", "STATUS", events))
        client.send(b"idle1 IDLE\r\n")
        while not client.readline().startswith(b"+"):
            pass
        imap_story.check("APPEND", other.append("Archive", None, None, b"Subject: news\r\n\r\ntext\r\n"))
        arrived = heard(client)
        imap_story.check("SELECT", other.select("Archive"))
        imap_story.check("STORE", other.store("1", "+FLAGS", r"(\Flagged)"))
        marked = heard(client)
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"idle1 OK"):
            pass
        story.say(
            "notify",
            ok=marked["HIGHESTMODSEQ"] > arrived["HIGHESTMODSEQ"],
            count=arrived["MESSAGES"],
            uid=arrived["UIDNEXT"],
        )


if __name__ == "__main__":
    main()
