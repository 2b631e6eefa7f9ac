"""Sends one message with Python's smtplib and prints what became of it."""

import email.message
import email.policy
import email.utils
import smtplib
import sys

import story


def connect(args):
    """Returns a connection, secured as asked for."""
    if args.security == "tls":
        return smtplib.SMTP_SSL(args.host, args.port, "localhost", timeout=args.timeout, context=story.context(args))
    client = smtplib.SMTP(args.host, args.port, "localhost", timeout=args.timeout)
    if args.security == "starttls":
        client.starttls(context=story.context(args))
    return client


def login(client, args):
    """Signs in, or ends the story where the server refuses."""
    bearer = None
    client.ehlo_or_helo_if_needed()
    try:
        if args.auth == "password":
            client.login(args.user, story.secret())
        else:
            bearer = story.Bearer(args.auth, args.user, story.secret())
            client.auth(bearer.mechanism, bearer.answer, initial_response_ok=True)
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as refused:
        story.refuse(str(refused), bearer)
    story.say("login", ok=True, extensions=sorted(client.esmtp_features))


def compose(args):
    """Returns the message."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = args.sender
    message["To"] = ", ".join(args.to)
    message["Subject"] = args.subject
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = args.message_id
    if args.in_reply_to:
        message["In-Reply-To"] = args.in_reply_to
        message["References"] = args.in_reply_to
    message.set_content(args.text)
    return message


def send(client, args):
    """Sends the message and prints which recipients were refused."""
    try:
        refused = client.send_message(compose(args), args.sender, args.to)
    except smtplib.SMTPRecipientsRefused as all_refused:
        refused = all_refused.recipients
    except smtplib.SMTPException as failure:
        sys.exit(f"send: {failure}")
    story.say(
        "send",
        message_id=args.message_id,
        accepted=[address for address in args.to if address not in refused],
        refused={address: [code, text.decode("utf-8", "replace")] for address, (code, text) in refused.items()},
    )


def main():
    p = story.parser(__doc__)
    p.add_argument("--from", dest="sender", required=True)
    p.add_argument("--to", action="append", required=True, help="a recipient; may be given several times")
    p.add_argument("--subject", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--message-id", required=True)
    p.add_argument("--in-reply-to")
    args = p.parse_args()
    with connect(args) as client:
        login(client, args)
        send(client, args)


if __name__ == "__main__":
    main()
