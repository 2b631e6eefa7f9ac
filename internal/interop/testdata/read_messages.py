"""Reads messages with Python's email package and prints what it makes of them.

The names of files come on standard input, one on each line. For each file one
line of JSON is printed: the name, how many defects Python found, the header
fields that both sides decode, and the parts that are no multiparts, numbered
as in IMAP. A message that is a part is one part, as a whole and without its
content, which Python does not keep as it came.

With --defects the values are printed whatever is wrong, and what is wrong as
text besides. Then the field X-Test is told too, of each part its Content-ID and
its disposition, and names of people are decoded by the older of Python's two
parsers: the newer one leaves a space between the encoded words of a name.
"""

import base64
import email
import email.header
import email.policy
import email.utils
import json
import sys


def addresses(message, name, older):
    """Returns the names and addresses of a field.

    Python's new parser drops comments, in which old mail has the names; the old
    one reads them.
    """
    field = message[name]
    if field is None:
        return []
    found = [[a.display_name, f"{a.username}@{a.domain}" if a.domain else a.username] for a in field.addresses]
    raw = next(str(value) for key, value in message.raw_items() if key.lower() == name)
    old = email.utils.getaddresses([raw])
    if [address for _, address in found] == [address for _, address in old]:
        found = [[decoded(comment) if older or not name else name, address] for (name, address), (comment, _) in zip(found, old)]
    return found


def decoded(text):
    """Returns text without encoded words and double spaces."""
    return " ".join(str(email.header.make_header(email.header.decode_header(text))).split())


def leaves(message, number):
    """Yields the parts with their numbers, without those of messages inside."""
    if message.get_content_maintype() != "multipart":
        yield number or "1", message
        return
    for index, part in enumerate(message.get_payload(), 1):
        yield from leaves(part, f"{number}.{index}" if number else str(index))


def describe(number, part):
    """Returns what both sides know of a part."""
    told = {"number": number, "type": part.get_content_type(), "name": part.get_filename() or ""}
    if part.get_content_maintype() != "message":
        told["content"] = base64.b64encode(part.get_payload(decode=True)).decode()
    if part.get_content_maintype() == "text":
        told["text"] = part.get_content()
    told["disposition"] = part.get_content_disposition() or ""
    told["cid"] = str(part["content-id"] or "")
    return told


def defects(message):
    """Returns the defects of a message, its parts and their header fields."""
    found = []
    for part in message.walk():
        found += part.defects
        for _, value in part.items():
            found += getattr(value, "defects", [])
    return found


def read(name, whatever):
    """Returns what Python makes of the message in a file."""
    with open(name, "rb") as file:
        message = email.message_from_bytes(file.read(), policy=email.policy.default)
    if (found := defects(message)) and not whatever:
        return {"file": name, "defects": len(found)}
    date = message["date"]
    told = {
        "file": name,
        "defects": 0,
        "subject": str(message["subject"] or ""),
        "message_id": str(message["message-id"] or ""),
        "date": date.datetime.timestamp() if date is not None and date.datetime is not None else None,
        "parts": [describe(number, part) for number, part in leaves(message, "")],
    }
    for field in ("from", "to", "cc", "reply-to"):
        told[field] = addresses(message, field, whatever)
    found = defects(message)  # some show when the content is decoded
    told["defects"] = len(found)
    if whatever:
        told["wrong"] = sorted({f"{type(d).__name__}: {d}" for d in found})
        told["extra"] = str(message["x-test"] or "")
    return told


def main():
    """Reads every file, and says of those that Python fails on what happened."""
    for line in sys.stdin:
        name = line.rstrip("\n")
        try:
            told = read(name, "--defects" in sys.argv)
        except Exception as err:  # pylint: disable=broad-except
            told = {"file": name, "defects": 1, "failed": f"{type(err).__name__}: {err}"}
        print(json.dumps(told))


main()
