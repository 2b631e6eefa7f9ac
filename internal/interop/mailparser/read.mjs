// Reads messages with mailparser and prints what it makes of them.
//
// The names of files come on standard input, one on each line. For each file one
// line of JSON is printed, in the form of testdata/read_messages.py as far as
// mailparser tells it: it knows texts and attachments, and no parts.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import libmime from 'libmime';
import { simpleParser } from 'mailparser';

// Nothing that mailparser makes of a text by itself.
const options = { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true };

// people returns the names and addresses of a field.
const people = (field) => [field ?? []].flat().flatMap((f) => f.value).map((a) => [a.name, a.address]);

async function read(file) {
  const mail = await simpleParser(await readFile(file), options);
  return {
    file,
    subject: mail.subject ?? '',
    message_id: mail.messageId ?? '',
    date: mail.date ? mail.date.getTime() / 1000 : null,
    from: people(mail.from),
    to: people(mail.to),
    cc: people(mail.cc),
    'reply-to': people(mail.replyTo),
    extra: libmime.decodeWords(mail.headers.get('x-test') ?? ''), // it decodes the fields that it knows
    text: mail.text ?? '',
    html: mail.html || '',
    attachments: mail.attachments.map((a) => ({
      name: a.filename ?? '',
      type: a.contentType,
      disposition: a.contentDisposition ?? '',
      cid: a.cid ?? '',
      sha256: createHash('sha256').update(a.content).digest('hex'),
    })),
  };
}

for await (const file of createInterface({ input: process.stdin })) {
  const told = await read(file).catch((err) => ({ file, failed: String(err) }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
