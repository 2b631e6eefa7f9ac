"""The way of a person through a mailbox of Exchange, told with exchangelib.

Each step prints one line of JSON. A step that does not see what it should ends
the story with an AssertionError.
"""

import os
import warnings

import story


def account(args, secret):
    """Returns the account, signed in the way that the arguments say, and how."""
    from exchangelib import DELEGATE, BASIC, NTLM, OAUTH2, Account, Build, Configuration, Credentials, Version
    from exchangelib.credentials import OAuth2AuthorizationCodeCredentials
    from oauthlib.oauth2 import OAuth2Token

    if args.auth == "bearer":
        credentials = OAuth2AuthorizationCodeCredentials(access_token=OAuth2Token({"access_token": secret, "token_type": "Bearer"}))
    else:
        credentials = Credentials(args.user, secret)
    auth_type = {"basic": BASIC, "ntlm": NTLM, "bearer": OAUTH2}[args.auth]
    builds = {
        "Exchange2007_SP1": Build(8, 1, 240), "Exchange2010_SP2": Build(14, 2), "Exchange2013_SP1": Build(15, 0, 847), "Exchange2016": Build(15, 1),
    }
    config = Configuration(
        service_endpoint=f"https://{args.host}:{args.port}/EWS/Exchange.asmx", credentials=credentials,
        auth_type=auth_type, version=Version(builds[args.version], args.version), max_connections=4,
    )
    return Account(args.user, config=config, autodiscover=False, access_type=DELEGATE), config


def folders(a):
    """Looks at the folders that there are, and makes, renames, moves and deletes some."""
    from exchangelib import Folder

    assert a.inbox.name == "Inbox", a.inbox.name
    assert a.root.tois.absolute.endswith("Top of Information Store"), a.root.tois.absolute
    for f in (a.sent, a.drafts, a.trash, a.junk, a.outbox, a.calendar, a.contacts):
        assert f.id, f
    one = Folder(parent=a.inbox, name="One").save()
    two = Folder(parent=a.msg_folder_root, name="Two").save()
    one.name = "First"
    one.save()
    one.move(two)
    assert (a.msg_folder_root / "Two" / "First").id == one.id
    two.delete()
    story.say("folders", ok=True)


def read(a):
    """Lists, filters, sorts and reads messages."""
    subjects = [m.subject for m in a.inbox.all().order_by("-datetime_received")]
    assert subjects == [f"Sample {n}" for n in range(5, 0, -1)], subjects
    a.inbox.refresh()
    assert a.inbox.total_count == 5 and a.inbox.unread_count == 5, (a.inbox.total_count, a.inbox.unread_count)
    assert [m.subject for m in a.inbox.filter(subject__contains="2")] == ["Sample 2"]
    assert [m.subject for m in a.inbox.filter(subject__startswith="Sample", is_read=False).order_by("datetime_received")[:2]] == ["Sample 1", "Sample 2"]
    assert a.inbox.filter(is_read=True).count() == 0
    assert a.inbox.exclude(subject__iexact="sample 1").count() == 4
    if a.version.build.major_version > 8:
        assert [m.subject for m in a.inbox.filter("subject:2")] == ["Sample 2"]
    assert len(list(a.inbox.all().only("subject"))) == 5
    m = a.inbox.get(subject="Sample 1")
    assert m.mime_content.startswith(b"From: Bob Example <bob@example.org>\r\n"), m.mime_content
    assert m.sender.email_address == "bob@example.org" and m.to_recipients[0].email_address == "ann@example.com", (m.sender, m.to_recipients)
    assert "sample number 1" in m.body and m.message_id == "<sample-1@example.org>", (m.body, m.message_id)
    assert {h.name: h.value for h in m.headers}["Message-ID"] == "<sample-1@example.org>", m.headers
    story.say("read", ok=True)


def change(a):
    """Marks, categorises, copies, moves and deletes."""
    from exchangelib import ExtendedProperty, Message

    class FlagStatus(ExtendedProperty):
        property_tag = 0x1090
        property_type = "Integer"

    Message.register("flag_status", FlagStatus)
    try:
        m = a.inbox.get(subject="Sample 1")
        m.is_read = True
        m.categories = ["work", "my friends"]
        m.flag_status = 2
        m.save(update_fields=["is_read", "categories", "flag_status"])
        m.refresh()
        assert m.is_read and m.categories == ["work", "my friends"] and m.flag_status == 2, (m.is_read, m.categories, m.flag_status)
        m.categories = None
        m.save(update_fields=["categories"])
        m.refresh()
        assert not m.categories, m.categories
    finally:
        Message.deregister("flag_status")
    old = m.id
    copied, _ = m.copy(a.drafts)
    m.move(a.junk)
    assert m.id not in (old, copied), m.id
    assert a.junk.all().count() == 1 and a.drafts.all().count() == 1
    m.move_to_trash()
    assert a.trash.all().count() == 1
    a.drafts.get(subject="Sample 1").delete()
    assert a.drafts.all().count() == 0
    if a.version.build.major_version > 8:
        a.inbox.get(subject="Sample 2").soft_delete()
        assert a.recoverable_items_deletions.filter(subject="Sample 2").count() == 1
    if a.version.build.major_version > 14:
        a.trash.empty()
    else:
        a.trash.all().delete()
    assert a.trash.all().count() == 0
    story.say("change", ok=True)


def write(a):
    """Drafts with attachments, sends, answers, forwards."""
    from exchangelib import FileAttachment, HTMLBody, ItemAttachment, Mailbox, Message

    draft = Message(account=a, folder=a.drafts, subject="Grüße", body=HTMLBody("<b>Hi</b>"), to_recipients=[Mailbox(email_address=a.primary_smtp_address)])
    draft.save()
    draft.attach(FileAttachment(name="a.bin", content=b"hello", content_type="application/x-test"))
    inner = Message(subject="Inside", body="within", account=a, folder=a.drafts)
    draft.attach(ItemAttachment(name="inner", item=inner))
    draft.attach(FileAttachment(name="gone.bin", content=b"gone"))
    draft.detach([x for x in draft.attachments if x.name == "gone.bin"])
    draft = a.drafts.get(subject="Grüße")
    assert sorted(x.name for x in draft.attachments) == ["a.bin", "inner"], draft.attachments
    for x in draft.attachments:
        if x.name == "a.bin":
            with x.fp as fp:
                assert fp.read() == b"hello"
        else:
            assert x.item.subject == "Inside" and "within" in x.item.body, x.item
    draft.subject = "Greetings"
    draft.save(update_fields=["subject"])
    draft.send()
    assert a.drafts.all().count() == 0 and a.sent.get(subject="Greetings").is_read
    arrived = a.inbox.get(subject="Greetings")
    assert arrived.has_attachments
    arrived.reply(subject="Re: Greetings", body="Thanks")
    answer = a.inbox.get(subject="Re: Greetings")
    assert "Thanks" in answer.body and answer.in_reply_to == arrived.message_id, (answer.body, answer.in_reply_to)
    arrived.forward(subject="Fwd: Greetings", body="Look", to_recipients=[a.primary_smtp_address])
    assert a.inbox.get(subject="Fwd: Greetings").has_attachments
    Message(account=a, subject="Alone", body="x", to_recipients=[a.primary_smtp_address]).send(save_copy=False)
    assert a.inbox.filter(subject="Alone").count() == 1 and a.sent.filter(subject="Alone").count() == 0
    raw = Message(account=a, folder=a.inbox, mime_content=b"Subject: raw\r\nTo: x@example.org\r\n\r\nbytes\r\n").save()
    raw.refresh()
    assert raw.mime_content.endswith(b"\r\nbytes\r\n") and raw.is_draft, raw
    story.say("write", ok=True)


def bulk(a):
    """Makes, lists, changes, files and removes many messages with few requests."""
    from exchangelib import Message

    def messages(subject):
        return [Message(account=a, folder=a.drafts, subject=f"{subject} {n:02}", body="x", to_recipients=[a.primary_smtp_address]) for n in range(25)]

    made = a.bulk_create(a.drafts, messages("bulk"), chunk_size=10)
    assert len(made) == 25 and all(m.id for m in made), made
    assert [m.subject for m in a.fetch(made[::-1], only_fields=["subject"], chunk_size=7)] == [f"bulk {n:02}" for n in range(24, -1, -1)]
    page = a.drafts.filter(subject__startswith="bulk").order_by("subject")
    page.page_size = 4
    assert list(page.values_list("subject", flat=True)) == [f"bulk {n:02}" for n in range(25)]
    assert page.count(page_size=10) == 25 and page.exists() and page[20].subject == "bulk 20"
    assert [m.subject for m in a.drafts.all().order_by("-subject")[:2]] == ["bulk 24", "bulk 23"]
    changes = [(m, ("subject", "is_read")) for m in a.fetch(made[:3])]
    for m, _ in changes:
        m.subject, m.is_read = "changed", True
    assert len(a.bulk_update(changes)) == 3 and a.drafts.filter(subject="changed", is_read=True).count() == 3
    copies = a.bulk_copy(made[:5], a.junk, chunk_size=2)
    moved = a.bulk_move(made[5:10], a.junk)
    assert len(copies) == len(moved) == 5 and a.junk.all().count() == 10
    wrong = list(a.fetch([made[0], made[5]]))
    assert isinstance(wrong[1], Exception) and wrong[0].subject == "changed", wrong  # what was moved has another id
    a.junk.all().delete(chunk_size=4)
    assert a.junk.all().count() == 0
    sent = a.bulk_send(a.drafts.filter(subject="changed"))
    assert sent == [True] * 3 and a.inbox.filter(subject="changed").count() == 3, sent
    assert set(a.bulk_delete(made[10:])) == {True} and a.drafts.all().count() == 2
    a.drafts.all().delete()
    story.say("bulk", ok=True)


def query(a):
    """Asks for messages in the ways that the language of its queries has."""
    from datetime import timedelta

    from exchangelib import EWSDateTime, FolderCollection, Message, Q, UTC

    def subjects(q):
        return sorted(m.subject for m in q.only("subject"))

    for name, importance, categories in (("one", "High", ["red"]), ("two", "Low", ["red", "blue"]), ("three", "Normal", None)):
        Message(account=a, folder=a.junk, subject=name, body=f"text of {name}", importance=importance, categories=categories).save()
    now = EWSDateTime.now(tz=UTC)
    assert subjects(a.junk.filter(Q(subject="one") | Q(subject="two"))) == ["one", "two"]
    assert subjects(a.junk.filter(~Q(subject="one") & ~Q(importance="Low"))) == ["three"]
    assert subjects(a.junk.filter(subject__in=["two", "three"])) == ["three", "two"]
    assert subjects(a.junk.filter(categories__contains=["blue"])) == ["two"]
    assert subjects(a.junk.filter(body__icontains="OF TW")) == ["two"]
    assert subjects(a.junk.filter(datetime_received__range=(now - timedelta(hours=1), now + timedelta(hours=1)))) == ["one", "three", "two"]
    assert a.junk.filter(datetime_received__gt=now + timedelta(hours=1)).count() == 0
    assert subjects(a.junk.filter(size__gt=10, has_attachments=False, subject__gt="p")) == ["three", "two"]
    assert a.junk.filter(subject__exists=False).count() == 0
    both = FolderCollection(account=a, folders=[a.junk, a.drafts])
    assert subjects(both.filter(importance="High")) == ["one"]
    assert a.junk.none().count() == 0
    assert sorted(a.junk.all().values("subject", "importance"), key=lambda v: v["subject"])[0] == {"subject": "one", "importance": "High"}
    if a.version.build.major_version > 14:
        a.junk.wipe()
    else:
        a.junk.all().delete()
    assert a.junk.all().count() == 0
    story.say("query", ok=True)


def sync(a):
    """Follows changes by sync states."""
    from exchangelib import Message

    seen = list(a.inbox.sync_items(only_fields=["subject"]))
    assert seen and all(kind == "create" for kind, _ in seen), seen
    state = a.inbox.item_sync_state
    m = Message(account=a, folder=a.inbox, subject="synced", body="x").save()
    assert [kind for kind, _ in a.inbox.sync_items(sync_state=state)] == ["create"]
    m.is_read = not m.is_read
    m.save(update_fields=["is_read"])
    assert [kind for kind, _ in a.inbox.sync_items()] == ["read_flag_change"]
    m.delete()
    assert [kind for kind, _ in a.inbox.sync_items()] == ["delete"]
    a.bulk_create(a.junk, [Message(account=a, folder=a.junk, subject=f"page {n}", body="x") for n in range(7)])
    pages = list(a.junk.sync_items(only_fields=["subject"], max_changes_returned=3))
    assert sorted(m.subject for _, m in pages) == [f"page {n}" for n in range(7)], pages
    a.junk.all().delete()
    names = {f.name for kind, f in a.root.sync_hierarchy() if kind == "create"}
    assert {"Inbox", "Calendar"} <= names, names
    story.say("sync", ok=True)


def notify(a):
    """Is told of a message by asking, and by a stream."""
    from exchangelib import FolderCollection, Message
    from exchangelib.properties import CreatedEvent, DeletedEvent, MovedEvent, NewMailEvent, StatusEvent

    def deliver(subject):
        Message(account=a, subject=subject, body="x", to_recipients=[a.primary_smtp_address]).send(save_copy=False)

    with a.inbox.pull_subscription(event_types=["NewMailEvent", "CreatedEvent"]) as (subscription, watermark):
        events = [e for n in a.inbox.get_events(subscription, watermark) for e in n.events]
        assert [type(e) for e in events] == [StatusEvent], events
        deliver("pulled")
        events = [e for n in a.inbox.get_events(subscription, watermark) for e in n.events]
        assert {type(e) for e in events} == {NewMailEvent, CreatedEvent}, events
    if a.version.build.major_version < 14:
        story.say("notify", ok=True)
        return
    with a.inbox.streaming_subscription(event_types=["NewMailEvent"]) as subscription:
        deliver("streamed")
        for n in a.inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1):
            assert [type(e) for e in n.events] == [NewMailEvent], n.events
            found = a.inbox.filter(subject="streamed").get()
            assert found.id == n.events[0].item_id.id
            break
    several = FolderCollection(account=a, folders=[a.drafts, a.junk])
    with several.streaming_subscription(event_types=["CreatedEvent", "MovedEvent", "DeletedEvent"]) as subscription:
        m = Message(account=a, folder=a.drafts, subject="wanders", body="x").save()
        m.move(a.junk)
        m.delete()
        told = [e for n in a.drafts.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1) for e in n.events]
        assert [type(e) for e in told] == [CreatedEvent, MovedEvent, DeletedEvent], told
        assert [e.parent_folder_id.id for e in told] == [a.drafts.id, a.junk.id, a.junk.id], told
    story.say("notify", ok=True)


def people(a):
    """Looks for people and time zones, and tells that nobody is there."""
    from datetime import timedelta

    from exchangelib import EWSDateTime, OofSettings, UTC

    found = a.protocol.resolve_names(["bob@"])
    assert [m.email_address for m in found] == ["bob@example.com"], found
    assert a.oof_settings.state == "Disabled", a.oof_settings
    start = EWSDateTime.now(tz=UTC).replace(microsecond=0)
    a.oof_settings = OofSettings(
        state="Scheduled", external_audience="Known", start=start, end=start + timedelta(days=7), internal_reply="Away & <gone>", external_reply="Away",
    )
    away = a.oof_settings
    assert (away.state, away.external_audience, away.start, away.end) == ("Scheduled", "Known", start, start + timedelta(days=7)), away
    assert (away.internal_reply, away.external_reply) == ("Away & <gone>", "Away"), away
    if a.version.build.major_version > 8:
        assert [z.id for z in a.protocol.get_timezones()] == ["UTC"]
    story.say("people", ok=True)


def others(a, config):
    """Reads a mailbox that is shared, and one that it acts for."""
    from exchangelib import DELEGATE, IMPERSONATION, Account

    info = Account("info@example.com", config=config, autodiscover=False, access_type=DELEGATE)
    assert [m.subject for m in info.inbox.all()] == ["For all"]
    assert "Inbox" in [f.name for f in info.root.tois.children]
    bob = Account("bob@example.com", config=config, autodiscover=False, access_type=IMPERSONATION)
    assert bob.inbox.all().count() == 0 and bob.sent.id
    story.say("others", ok=True)


def main():
    p = story.parser(__doc__)
    for action in p._actions:
        if action.dest == "auth":
            action.choices, action.default = ["basic", "ntlm", "bearer"], "basic"
    p.add_argument("--version", default="Exchange2016")
    args = p.parse_args()
    warnings.simplefilter("ignore")
    os.environ["REQUESTS_CA_BUNDLE"] = args.ca
    a, config = account(args, story.secret())
    for step in (folders, read, change, write, bulk, query, sync, notify, people):
        step(a)
    others(a, config)
    a.protocol.close()


if __name__ == "__main__":
    main()
