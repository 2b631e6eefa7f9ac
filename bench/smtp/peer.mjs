// Sends a message many times with nodemailer's pool, as the task in
// MAILSESSION_BENCH_TASK says. The package is that of the interop tests.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../internal/interop/nodemailer/", import.meta.url));
const nodemailer = require("nodemailer");

const task = JSON.parse(process.env.MAILSESSION_BENCH_TASK);
const raw = readFileSync(task.file);
const [, host, port] = task.address.match(/^(.*):(\d+)$/);
const transport = nodemailer.createTransport({
  host,
  port: Number(port),
  pool: true,
  maxConnections: task.connections,
  maxMessages: Infinity,
  requireTLS: task.startTLS,
  ignoreTLS: !task.startTLS,
  tls: { ca: task.caFile ? readFileSync(task.caFile) : undefined },
  auth: task.user ? { user: task.user, pass: task.password } : undefined,
});

let left = task.messages;
// Enough are waiting in the pool for no connection to be idle.
await Promise.all(
  Array.from({ length: 2 * task.connections }, async () => {
    while (left-- > 0) {
      await transport.sendMail({ envelope: { from: task.from, to: task.to }, raw });
    }
  }),
);
transport.close();
console.log(task.messages, task.messages * raw.length);
