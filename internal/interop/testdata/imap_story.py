"""Goes through steps of reading and filing mail with Python's imaplib.

The steps are arguments and are taken in one session, in their order:

    folders                  list the folders
    unread=FOLDER            read what is unread, without marking it
    answered=FOLDER,ID       mark the message with a Message-ID answered and seen
    move=FOLDER,ID,TO        move it by UID MOVE (RFC 6851)
    copy=FOLDER,ID,TO        move it by COPY, STORE and UID EXPUNGE (RFC 4315)
    await=FOLDER,ID          wait until the message is there, and read it
"""

import email
import email.policy
import imaplib
import re
import sys
import time

import story

LIST = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?P<delimiter>(?:\\.|[^"\\])*)"|NIL) (?P<name>.*)', re.DOTALL)
PATIENCE = 60  # seconds until a message that is waited for has to be there


class Failed(Exception):
    """The server did not do what a step needs."""


def connect(args):
    """Returns a connection, secured as asked for."""
    if args.security == "tls":
        return imaplib.IMAP4_SSL(args.host, args.port, ssl_context=story.context(args), timeout=args.timeout)
    client = imaplib.IMAP4(args.host, args.port, timeout=args.timeout)
    if args.security == "starttls":
        client.starttls(story.context(args))
    return client


def login(client, args):
    """Signs in, or ends the story where the server refuses."""
    bearer = None
    try:
        if args.auth == "password":
            client.login(args.user, story.secret())
        else:
            bearer = story.Bearer(args.auth, args.user, story.secret())
            client.authenticate(bearer.mechanism, lambda challenge: bearer.answer(challenge).encode())
    except client.error as refused:
        story.refuse(str(refused), bearer)
    _, data = client.capability()
    story.say("login", ok=True, capabilities=sorted(data[0].decode().split()))


def check(what, answer):
    """Returns the data of an answer, or fails where it is not OK."""
    status, data = answer
    if status != "OK":
        raise Failed(f"{what}: {status} {data!r}")
    return data


def quote(text):
    """Returns a quoted string (RFC 3501, section 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def select(client, folder):
    """Opens a folder and returns what the server said of it."""
    check(f"SELECT {folder}", client.select(quote(folder)))
    facts = {}
    for name in ("EXISTS", "UIDVALIDITY", "UIDNEXT"):
        _, data = client.response(name)
        if data and data[0]:
            facts[name.lower()] = int(data[0])
    return facts


def search(client, *criteria):
    """Returns the UIDs of the messages that meet the criteria."""
    data = check("UID SEARCH", client.uid("SEARCH", *criteria))
    return [int(uid) for uid in (data[0] or b"").split()]


def find(client, message_id):
    """Returns the UID of the one message with a Message-ID."""
    uids = search(client, "HEADER", "Message-ID", quote(message_id))
    if len(uids) != 1:
        raise Failed(f"messages with Message-ID {message_id}: {uids}, want one")
    return uids[0]


def flags(client, uid):
    """Returns the flags of a message, without \\Recent, which no client sets."""
    data = check("UID FETCH", client.uid("FETCH", str(uid), "(FLAGS)"))
    for item in data:
        if item and re.search(rb"\bUID %d\b" % uid, item):
            return sorted(flag.decode() for flag in imaplib.ParseFlags(item) if flag != b"\\Recent")
    raise Failed(f"UID FETCH {uid} returned {data!r}")


def read(client, uid):
    """Returns a message by what a person sees of it, without marking it as read."""
    data = check("UID FETCH", client.uid("FETCH", str(uid), "(RFC822.SIZE BODY.PEEK[])"))
    literals = [item for item in data if isinstance(item, tuple)]
    if len(literals) != 1:
        raise Failed(f"UID FETCH {uid} returned {len(literals)} bodies, want one")
    head, raw = literals[0]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return {
        "uid": uid,
        "size": int(re.search(rb"RFC822\.SIZE (\d+)", head + data[-1]).group(1)),
        "bytes": len(raw),
        "flags": flags(client, uid),
        "message_id": message["Message-ID"],
        "in_reply_to": message["In-Reply-To"],
        "from": message["From"],
        "to": message["To"],
        "subject": message["Subject"],
        "text": body.get_content() if body else None,
        "attachments": [part.get_filename() for part in message.iter_attachments()],
    }


def step_folders(client):
    """Lists the folders."""
    folders = []
    for line in check("LIST", client.list()):
        found = LIST.fullmatch(line if isinstance(line, bytes) else b"".join(line))
        if not found:
            raise Failed(f"LIST returned {line!r}")
        name = found["name"].decode()
        if name.startswith('"'):
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        delimiter = found["delimiter"]
        folders.append({
            "name": name,
            "delimiter": delimiter.decode() if delimiter else None,
            "flags": sorted(found["flags"].decode().split()),
        })
    story.say("folders", folders=sorted(folders, key=lambda folder: folder["name"]))


def step_unread(client, folder):
    """Reads what is unread, and looks whether it is unread afterwards."""
    facts = select(client, folder)
    messages = [read(client, uid) for uid in search(client, "UNSEEN")]
    story.say("unread", folder=folder, facts=facts, messages=messages, unread_after=len(search(client, "UNSEEN")))


def step_answered(client, folder, message_id):
    """Marks a message answered and seen."""
    select(client, folder)
    uid = find(client, message_id)
    check("UID STORE", client.uid("STORE", str(uid), "+FLAGS", r"(\Answered \Seen)"))
    story.say("answered", uid=uid, flags=flags(client, uid))


def step_move(client, folder, message_id, to):
    """Moves a message by the command for it."""
    select(client, folder)
    uid = find(client, message_id)
    check("UID MOVE", client.uid("MOVE", str(uid), quote(to)))
    story.say("move", **moved(client, folder, message_id, uid, to))


def step_copy(client, folder, message_id, to):
    """Moves a message as it is done where there is no command for it."""
    select(client, folder)
    uid = find(client, message_id)
    check("UID COPY", client.uid("COPY", str(uid), quote(to)))
    check("UID STORE", client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)"))
    check("UID EXPUNGE", client.uid("EXPUNGE", str(uid)))
    story.say("copy", **moved(client, folder, message_id, uid, to))


def moved(client, folder, message_id, uid, to):
    """Looks where a moved message is, after it was moved."""
    _, copyuid = client.response("COPYUID")
    left = search(client, "ALL")
    select(client, to)
    arrived = find(client, message_id)
    return {
        "uid": uid,
        "copyuid": copyuid[0].decode() if copyuid and copyuid[0] else None,
        "left": left,
        "message": read(client, arrived),
    }


def step_await(client, folder, message_id):
    """Waits for a message; imaplib has no IDLE, so it asks again and again."""
    deadline = time.monotonic() + PATIENCE
    select(client, folder)
    while not (uids := search(client, "HEADER", "Message-ID", quote(message_id))):
        if time.monotonic() > deadline:
            raise Failed(f"{message_id} is not in {folder} after {PATIENCE} s")
        time.sleep(0.1)
        check("NOOP", client.noop())
    story.say("await", message=read(client, uids[0]))


STEPS = {
    "folders": step_folders,
    "unread": step_unread,
    "answered": step_answered,
    "move": step_move,
    "copy": step_copy,
    "await": step_await,
}


def main():
    p = story.parser(__doc__.splitlines()[0])
    p.add_argument("steps", nargs="+", metavar="STEP", help="see the top of this file")
    args = p.parse_args()
    with connect(args) as client:
        login(client, args)
        for argument in args.steps:
            name, _, rest = argument.partition("=")
            try:
                STEPS[name](client, *rest.split(",")) if rest else STEPS[name](client)
            except (Failed, imaplib.IMAP4.error) as failure:
                sys.exit(f"{name}: {failure}")


if __name__ == "__main__":
    main()
