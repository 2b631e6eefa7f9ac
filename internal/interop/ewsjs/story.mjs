// Goes through a mailbox of Exchange with ews-javascript-api, a port of Microsoft's
// own library: node story.mjs, with the task as JSON in MAILSESSION_STORY. Each step
// prints one line of JSON. A step that does not see what it should ends the story.
// The library escapes neither "<" nor "&", so that there are none in what is said.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const ews = createRequire(import.meta.url)("ews-javascript-api");
const { BasePropertySet, DeleteMode, EventType, SearchFilter, WellKnownFolderName } = ews;
const { EmailMessageSchema, FolderSchema, ItemSchema } = ews;

const task = JSON.parse(process.env.MAILSESSION_STORY);
const service = open(task.user, task.secret);
const { Inbox, Drafts, SentItems, DeletedItems, JunkEmail, MsgFolderRoot } = WellKnownFolderName;

// open returns a service that signs in as a user.
function open(user, secret) {
  const opened = new ews.ExchangeService(ews.ExchangeVersion[task.version]);
  opened.Credentials = new ews.WebCredentials(user, secret);
  opened.Url = new ews.Uri(task.url);
  return opened;
}

const properties = (...more) => new ews.PropertySet(BasePropertySet.IdOnly, more);
const subjects = (found) => found.Items.map((item) => item.Subject);

// find lists what a filter lets pass, oldest first.
async function find(folder, filter, size = 100, offset = 0) {
  const view = new ews.ItemView(size, offset);
  view.PropertySet = properties(ItemSchema.Subject, EmailMessageSchema.IsRead);
  view.OrderBy.Add(ItemSchema.DateTimeReceived, ews.SortDirection.Ascending);
  return filter ? service.FindItems(folder, filter, view) : service.FindItems(folder, view);
}

const one = async (folder, subject) => {
  const found = await find(folder, new SearchFilter.IsEqualTo(ItemSchema.Subject, subject));
  assert.equal(found.TotalCount, 1, `${subject} in ${folder}`);
  return ews.EmailMessage.Bind(service, found.Items[0].Id);
};

// letter makes a message that is not on the server yet.
function letter(subject, text = "text", to = task.user) {
  const message = new ews.EmailMessage(service);
  message.Subject = subject;
  message.Body = new ews.MessageBody(ews.BodyType.Text, text);
  message.ToRecipients.Add(to);
  return message;
}

const steps = {
  async folders() {
    const inbox = await ews.Folder.Bind(service, Inbox);
    assert.equal(inbox.DisplayName, "Inbox");
    assert.deepEqual([inbox.TotalCount, inbox.UnreadCount], [5, 5]);
    const made = new ews.Folder(service);
    made.DisplayName = "Grüße";
    await made.Save(Inbox);
    made.DisplayName = "Renamed";
    await made.Update();
    const moved = await made.Move(MsgFolderRoot);
    const copied = await moved.Copy(Drafts);
    const view = new ews.FolderView(3);
    view.Traversal = ews.FolderTraversal.Deep;
    const names = [];
    for (let page; page?.MoreAvailable ?? true; view.Offset = names.length) {
      page = await service.FindFolders(MsgFolderRoot, view);
      names.push(...page.Folders.map((f) => f.DisplayName));
    }
    assert.equal(names.filter((name) => name === "Renamed").length, 2, String(names));
    const filter = new SearchFilter.IsEqualTo(FolderSchema.DisplayName, "renamed");
    assert.equal((await service.FindFolders(MsgFolderRoot, filter, new ews.FolderView(10))).TotalCount, 1);
    await copied.Delete(DeleteMode.MoveToDeletedItems);
    await moved.Delete(DeleteMode.HardDelete);
    await assert.rejects(ews.Folder.Bind(service, moved.Id), (e) => e.ErrorCode === ews.ServiceError.ErrorFolderNotFound);
  },

  async list() {
    const paged = [];
    for (let page; page?.MoreAvailable ?? true; ) {
      page = await find(Inbox, null, 2, paged.length);
      assert.equal(page.TotalCount, 5);
      paged.push(...subjects(page));
    }
    assert.deepEqual(paged, [1, 2, 3, 4, 5].map((n) => `Sample ${n}`));
    const filters = [
      [new SearchFilter.ContainsSubstring(ItemSchema.Subject, "sample 2"), 1],
      [new SearchFilter.ContainsSubstring(ItemSchema.Subject, "Sam", ews.ContainmentMode.Prefixed, ews.ComparisonMode.Exact), 5],
      [new SearchFilter.IsEqualTo(EmailMessageSchema.IsRead, false), 5],
      [new SearchFilter.Not(new SearchFilter.ContainsSubstring(ItemSchema.Body, "number 3")), 4],
      [new SearchFilter.IsGreaterThan(ItemSchema.DateTimeReceived, ews.DateTime.Parse("2024-01-01T09:02:30Z")), 2],
      [new SearchFilter.Exists(EmailMessageSchema.InternetMessageId), 5],
      [new SearchFilter.SearchFilterCollection(ews.LogicalOperator.Or, [
        new SearchFilter.IsEqualTo(ItemSchema.Subject, "Sample 1"), new SearchFilter.ContainsSubstring(EmailMessageSchema.InternetMessageId, "sample-4@"),
      ]), 2],
    ];
    for (const [i, [filter, count]] of filters.entries()) {
      assert.equal((await find(Inbox, filter)).TotalCount, count, `filter ${i}`);
    }
    if (task.version !== "Exchange2007_SP1") {
      assert.deepEqual(subjects(await service.FindItems(Inbox, "subject:2", new ews.ItemView(10))), ["Sample 2"]);
    }
  },

  async read() {
    const message = await one(Inbox, "Sample 1");
    await message.Load(new ews.PropertySet(BasePropertySet.FirstClassProperties, [ItemSchema.MimeContent, ItemSchema.InternetMessageHeaders]));
    assert.equal(message.From.Address, "bob@example.org");
    assert.equal(message.ToRecipients.Items[0].Address, "ann@example.com");
    assert.match(Buffer.from(message.MimeContent.Content, "base64").toString(), /^From: Bob Example <bob@example.org>\r\n/);
    assert.match(message.Body.Text, /sample number 1/);
    assert.equal(message.IsRead, false);
    const both = await service.LoadPropertiesForItems((await find(Inbox)).Items, properties(ItemSchema.Body));
    assert.equal(both.Count, 5);
  },

  async change() {
    const message = await one(Inbox, "Sample 2");
    message.IsRead = true;
    message.Importance = ews.Importance.High;
    message.Categories.Add("work");
    message.Categories.Add("my friends");
    const keep = new ews.ExtendedPropertyDefinition(ews.DefaultExtendedPropertySet.PublicStrings, "kept", ews.MapiPropertyType.String);
    message.SetExtendedProperty(keep, "a value");
    await message.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    const again = await ews.EmailMessage.Bind(service, message.Id, new ews.PropertySet(BasePropertySet.FirstClassProperties, [keep]));
    assert.deepEqual([again.IsRead, again.Importance, [...again.Categories.GetEnumerator()]], [true, ews.Importance.High, ["work", "my friends"]]);
    const value = {};
    assert.ok(again.TryGetProperty(keep, value));
    assert.equal(value.outValue, "a value");
    const stale = await one(Inbox, "Sample 3");
    const fresh = await one(Inbox, "Sample 3");
    fresh.IsRead = true;
    await fresh.Update(ews.ConflictResolutionMode.NeverOverwrite);
    stale.IsRead = true;
    stale.Subject = "lost";
    await assert.rejects(stale.Update(ews.ConflictResolutionMode.NeverOverwrite), (e) => e.ErrorCode === ews.ServiceError.ErrorIrresolvableConflict);
    const copied = await again.Copy(JunkEmail);
    const moved = await again.Move(Drafts);
    assert.ok(copied.Id.UniqueId !== moved.Id.UniqueId && moved.Id.UniqueId !== again.Id.UniqueId);
    await assert.rejects(ews.EmailMessage.Bind(service, again.Id), (e) => e.ErrorCode === ews.ServiceError.ErrorItemNotFound);
    await moved.Delete(DeleteMode.MoveToDeletedItems);
    await copied.Delete(DeleteMode.HardDelete);
    assert.deepEqual([(await find(Drafts)).TotalCount, (await find(JunkEmail)).TotalCount, (await find(DeletedItems)).TotalCount], [0, 0, 1]);
  },

  async write() {
    const draft = letter("with files");
    draft.Attachments.AddFileAttachment("a.bin", Buffer.from("hello").toString("base64"));
    const inner = draft.Attachments.AddItemAttachment(ews.EmailMessage, "Message");
    inner.Name = "inner";
    inner.Item.Subject = "Inside";
    inner.Item.Body = new ews.MessageBody(ews.BodyType.HTML, "within");
    await draft.Save(Drafts);
    const saved = await one(Drafts, "with files");
    await saved.Load(properties(ItemSchema.Attachments, ItemSchema.Subject));
    assert.equal(saved.Attachments.Count, 2);
    for (const { Attachment: attachment } of (await service.GetAttachments(saved.Attachments.Items.map((a) => a.Id), null, null)).Responses) {
      if (attachment instanceof ews.FileAttachment) {
        assert.equal(Buffer.from(attachment.Base64Content, "base64").toString(), "hello");
      } else {
        assert.equal(attachment.Item.Subject, "Inside");
        assert.match(attachment.Item.Body.Text, /within/);
      }
    }
    await saved.SendAndSaveCopy();
    assert.equal((await find(Drafts)).TotalCount, 0);
    assert.equal((await one(SentItems, "with files")).IsRead, true);
    const arrived = await one(Inbox, "with files");
    assert.ok(arrived.HasAttachments);
    await arrived.Reply(new ews.MessageBody(ews.BodyType.Text, "Thanks."), true);
    assert.match((await one(Inbox, "RE: with files")).Body.Text, /Thanks\./);
    await arrived.Forward(new ews.MessageBody("Look."), [new ews.EmailAddress(task.other)]);
    assert.ok((await one(SentItems, "FW: with files")).HasAttachments);
    await letter("alone").Send();
    assert.equal((await find(SentItems, new SearchFilter.IsEqualTo(ItemSchema.Subject, "alone"))).TotalCount, 0);
    const raw = new ews.EmailMessage(service);
    raw.MimeContent = new ews.MimeContent("UTF-8", Buffer.from("Subject: raw\r\n\r\nbytes\r\n").toString("base64"));
    await raw.Save(Drafts);
    assert.equal((await one(Drafts, "raw")).IsDraft, true);
  },

  async sync() {
    const props = properties(ItemSchema.Subject);
    let state = null, seen = 0;
    for (let round; !round || round.MoreChangesAvailable;) {
      round = await service.SyncFolderItems(new ews.FolderId(Inbox), props, null, 2, ews.SyncFolderItemsScope.NormalItems, state);
      state = round.SyncState;
      seen += round.Count;
    }
    assert.equal(seen, (await find(Inbox)).TotalCount);
    const message = await one(Inbox, "Sample 5");
    message.IsRead = true;
    await message.Update(ews.ConflictResolutionMode.AutoResolve);
    await (await one(Inbox, "Sample 4")).Delete(DeleteMode.SoftDelete);
    const changes = await service.SyncFolderItems(new ews.FolderId(Inbox), props, null, 100, ews.SyncFolderItemsScope.NormalItems, state);
    const kinds = changes.changes.map((c) => ews.ChangeType[c.ChangeType]).sort();
    assert.deepEqual(kinds, ["Delete", "ReadFlagChange"]);
    const hierarchy = await service.SyncFolderHierarchy(new ews.FolderId(MsgFolderRoot), properties(FolderSchema.DisplayName), null);
    const made = new ews.Folder(service);
    made.DisplayName = "New";
    await made.Save(MsgFolderRoot);
    const after = await service.SyncFolderHierarchy(new ews.FolderId(MsgFolderRoot), properties(FolderSchema.DisplayName), hierarchy.SyncState);
    assert.deepEqual(after.changes.map((c) => c.Folder.DisplayName), ["New"]);
  },

  async pull() {
    const events = [EventType.NewMail, EventType.Created, EventType.Moved, EventType.Deleted];
    const subscription = await service.SubscribeToPullNotifications([new ews.FolderId(Inbox)], 5, null, ...events);
    assert.equal((await subscription.GetEvents()).AllEvents.length, 0);
    await letter("pulled").Send();
    const told = await subscription.GetEvents();
    assert.deepEqual(told.AllEvents.map((e) => EventType[e.EventType]).sort(), ["Created", "NewMail"]);
    await subscription.Unsubscribe();
    await assert.rejects(subscription.GetEvents(), (e) => e.ErrorCode === ews.ServiceError.ErrorSubscriptionNotFound);
  },

  async stream() {
    if (task.version === "Exchange2007_SP1") {
      return;
    }
    const subscription = await service.SubscribeToStreamingNotifications([new ews.FolderId(Inbox), new ews.FolderId(Drafts)], EventType.NewMail, EventType.Created);
    const connection = new ews.StreamingSubscriptionConnection(service, 1);
    connection.AddSubscription(subscription);
    const told = new Promise((resolve, reject) => {
      connection.OnNotificationEvent.push((_, args) => resolve(args.Events));
      connection.OnSubscriptionError.push((_, args) => reject(args.Exception));
    });
    connection.Open();
    await letter("streamed").Send();
    const events = await told;
    const item = events.find((e) => e.EventType === EventType.NewMail);
    assert.equal((await ews.EmailMessage.Bind(service, item.ItemId)).Subject, "streamed");
    connection.Close();
  },

  async people() {
    const found = await service.ResolveName("bob@");
    assert.deepEqual(found.GetEnumerator().map((r) => r.Mailbox.Address), [task.other]);
    const settings = await service.GetUserOofSettings(task.user);
    assert.equal(settings.State, ews.OofState.Disabled);
    const ids = await service.ConvertIds([new ews.AlternateId(ews.IdFormat.EwsId, (await find(Inbox)).Items[0].Id.UniqueId, task.user)], ews.IdFormat.HexEntryId);
    assert.match(ids.Responses[0].ConvertedId.UniqueId, /^[0-9A-F]+$/);
    if (task.version !== "Exchange2007_SP1") {
      assert.equal((await service.GetServerTimeZones()).length, 1);
    }
  },

  async others() {
    const shared = new ews.FolderId(Inbox, new ews.Mailbox("info@example.com"));
    assert.deepEqual(subjects(await find(shared)), ["For all"]);
    service.ImpersonatedUserId = new ews.ImpersonatedUserId(ews.ConnectingIdType.SmtpAddress, task.other);
    assert.deepEqual(subjects(await find(Inbox)), ["FW: with files"]);
    service.ImpersonatedUserId = null;
  },

  async discover() {
    const discovery = new ews.AutodiscoverService(new ews.Uri(task.url.replace(/EWS.*/, "autodiscover/autodiscover.svc")), ews.ExchangeVersion.Exchange2010);
    discovery.Credentials = new ews.WebCredentials(task.user, task.secret);
    const answer = await discovery.GetUserSettings([task.user], [ews.UserSettingName.ExternalEwsUrl]);
    assert.equal(answer.Responses[0].Settings.get(ews.UserSettingName.ExternalEwsUrl), task.url);
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
  } catch (e) {
    console.error(`${name}: ${e.stack ?? e}\n${e.Message ?? ""}`);
    process.exit(1);
  }
  console.log(JSON.stringify({ step: name, ok: true }));
}
process.exit(0); // the stream may be open still
