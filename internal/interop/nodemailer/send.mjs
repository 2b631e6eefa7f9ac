// Sends files with nodemailer as they are, one after the other over one connection:
// node send.mjs, with the task as JSON in MAILSESSION_STORY.

import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";

const task = JSON.parse(process.env.MAILSESSION_STORY);
const auth = { user: task.user, pass: task.secret };
const transport = nodemailer.createTransport({
  host: task.host,
  port: task.port,
  secure: task.security === "tls",
  requireTLS: task.security === "starttls",
  ignoreTLS: task.security === "none",
  tls: { ca: task.ca ? readFileSync(task.ca) : undefined },
  auth: task.auth === "XOAUTH2" ? { type: "OAuth2", user: task.user, accessToken: task.secret } : auth,
  authMethod: task.auth === "XOAUTH2" ? undefined : task.auth,
  pool: true,
  maxConnections: 1,
});

for (const file of task.files) {
  await transport.sendMail({
    envelope: { from: task.from, to: task.to, use8BitMime: true },
    raw: readFileSync(file),
    dsn: task.dsn ? { id: "a+b", return: "headers", notify: ["failure", "delay"], recipient: task.user } : undefined,
  });
}
transport.close();
