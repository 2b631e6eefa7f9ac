// Does a task with ImapFlow.
import { readFileSync } from 'node:fs';
import { ImapFlow } from 'imapflow';

const task = JSON.parse(process.env.MAILSESSION_BENCH_TASK);
const colon = task.address.lastIndexOf(':');
const client = new ImapFlow({
  host: task.address.slice(0, colon),
  port: Number(task.address.slice(colon + 1)),
  secure: task.tls,
  doSTARTTLS: false,
  tls: { ca: readFileSync(task.caFile) },
  auth: { user: task.user, pass: task.password },
  logger: false,
});

const items = {
  full: { uid: true, source: true },
  summaries: { uid: true, envelope: true, flags: true, internalDate: true, size: true },
};

await client.connect();
await client.mailboxOpen(task.folder, { readOnly: true });
let messages = 0;
let size = 0;
for await (const message of client.fetch('1:*', items[task.kind])) {
  messages += 1;
  size += message.source?.length ?? 0;
}
await client.logout();
console.log(messages, size);
