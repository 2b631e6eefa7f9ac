// Does with nodemailer's composer what ours does; see ../letter.

import { createRequire } from 'node:module';

const MailComposer = createRequire(import.meta.url)('nodemailer/lib/mail-composer');

const text = 'Guten Tag, anbei der Bericht über die Umsätze des Monats, mit Grüßen aus Köln.\n'.repeat(16);
const html =
  '<html><body>' +
  '<p>Guten Tag, anbei der <b>Bericht</b> über die <i>Umsätze</i> des Monats, mit Grüßen aus Köln.</p>\n'.repeat(32) +
  '</body></html>\n';

const draft = (i, attachment) => ({
  from: { name: 'Jürgen Müller', address: 'juergen@example.com' },
  to: `recipient${i}@example.org`,
  subject: `Bericht für März, Nummer ${i}`,
  text,
  html,
  attachments: [attachment],
});

// compose returns how many bytes a message has.
const compose = (mail) =>
  new Promise((resolve, reject) => {
    let n = 0;
    const stream = new MailComposer(mail).compile().createReadStream();
    stream.on('data', (chunk) => (n += chunk.length));
    stream.on('end', () => resolve(n));
    stream.on('error', reject);
  });

const [work, what] = process.argv.slice(2);
if (work === 'large') {
  console.log(await compose(draft(0, { path: what })));
} else {
  const content = Buffer.alloc(20_000);
  let state = 1;
  for (let i = 0; i < content.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content[i] = state >>> 24;
  }
  let total = 0;
  for (let i = 0; i < Number(what); i++) {
    total += await compose(draft(i, { filename: 'Bericht für März.pdf', content }));
  }
  console.log(total);
}
