// Looks at what happened in a folder with ImapFlow, and keeps the place in a file.
import { readFileSync, writeFileSync } from 'node:fs';
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
  qresync: true,
});

let messages = 0;
let size = 0;
client.on('expunge', (event) => {
  if (event.vanished) messages += 1;
});
await client.connect();
const place = task.kind === 'again' ? JSON.parse(readFileSync(task.file)) : null;
const options = { readOnly: true };
if (place) {
  options.changedSince = BigInt(place.modseq);
  options.uidValidity = BigInt(place.validity);
}
const box = await client.mailboxOpen(task.folder, options);
const items = { uid: true, envelope: true, flags: true, internalDate: true, size: true };
const query = place ? { changedSince: BigInt(place.modseq) } : {};
for await (const message of client.fetch('1:*', items, query)) {
  messages += 1;
  size += message.envelope.subject?.length ?? 0;
}
writeFileSync(task.file, JSON.stringify({ modseq: String(box.highestModseq), validity: String(box.uidValidity) }));
await client.logout();
console.log(messages, size);
