"""Empties a maildrop with Python's poplib and prints what it saw on the way."""

import base64
import poplib
import sys

import story


def connect(args):
    """Returns a connection, secured as asked for."""
    if args.security == "tls":
        return poplib.POP3_SSL(args.host, args.port, timeout=args.timeout, context=story.context(args))
    client = poplib.POP3(args.host, args.port, timeout=args.timeout)
    if args.security == "starttls":
        client.stls(context=story.context(args))
    return client


def login(client, args):
    """Signs in, or ends the story where the server refuses."""
    try:
        if args.utf8:
            client.utf8()
        if args.auth == "apop":
            client.apop(args.user, story.secret())
        else:
            client.user(args.user)
            client.pass_(story.secret())
    except poplib.error_proto as refused:
        story.refuse(str(refused))
    story.say("login", ok=True, capabilities=sorted(client.capa()))


def rows(lines):
    """Returns a listing as pairs of number and text."""
    return dict(line.decode("ascii").split(" ", 1) for line in lines)


def read(client):
    """Prints all messages with their names and sizes."""
    count, size = client.stat()
    sizes, names = rows(client.list()[1]), rows(client.uidl()[1])
    if len(sizes) != count or sum(map(int, sizes.values())) != size:
        sys.exit(f"STAT tells of {count} messages with {size} bytes, LIST of {sizes}")
    for number, name in names.items():
        if client.uidl(number).split()[-1].decode("ascii") != name:
            sys.exit(f"UIDL {number} is not {name}")
        _, lines, _ = client.retr(number)
        raw = b"".join(line + b"\r\n" for line in lines)
        _, top, _ = client.top(number, 0)
        story.say(
            "message",
            name=name,
            size=int(sizes[number]),
            raw=base64.b64encode(raw).decode("ascii"),
            top=base64.b64encode(b"".join(line + b"\r\n" for line in top)).decode("ascii"),
        )
    return count


def remove(client, count):
    """Removes all messages but the last, having thought about it."""
    client.dele(count)
    client.rset()
    for number in range(1, count):
        client.dele(number)
    client.noop()
    story.say("left", count=client.stat()[0])
    client.quit()


def main():
    p = story.parser(__doc__)
    p.add_argument("--utf8", action="store_true", help="say UTF8 before signing in")
    args = p.parse_args()
    client = connect(args)
    login(client, args)
    remove(client, read(client))


if __name__ == "__main__":
    main()
