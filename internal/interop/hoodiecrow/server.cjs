// IMAP servers for tests: the npm package hoodiecrow-imap, with Gmail's
// extensions, in memory, on free ports of 127.0.0.1.
//
//   node server.cjs SETTINGS
//
// SETTINGS is a JSON file: user, password and count. Each of count servers has a
// mailbox of its own. Their addresses are printed, one a line, and an empty line
// after the last.
const { readFileSync } = require('node:fs');

const hoodiecrow = require('hoodiecrow-imap');

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));

// gmail announces what the plugin x-gm-ext-1 does, which the package leaves out
// since it has no conversations. Each message is one of its own here.
function gmail(server) {
  server.registerCapability('X-GM-EXT-1');
  server.fetchHandlers['X-GM-THRID'] = (connection, message) => ({ type: 'ATOM', value: message['X-GM-MSGID'] });
}

const folder = (role) => ({ 'special-use': [role], subscribed: true });

function start() {
  const server = hoodiecrow({
    plugins: [
      'ID', 'SASL-IR', 'AUTH-PLAIN', 'XOAUTH2', 'NAMESPACE', 'ENABLE', 'CONDSTORE', 'LITERALPLUS', 'UNSELECT', 'SPECIAL-USE',
      'UIDPLUS', 'MOVE', 'IDLE', 'X-GM-EXT-1', gmail,
    ],
    users: { [settings.user]: { password: settings.password, xoauth2: { accessToken: settings.password, sessionTimeout: 3600000 } } },
    storage: {
      INBOX: {},
      '': {
        separator: '/',
        folders: {
          Archive: folder('\\Archive'), Drafts: folder('\\Drafts'), Junk: folder('\\Junk'), Sent: folder('\\Sent'), Trash: folder('\\Trash'),
        },
      },
    },
  });
  server.server.on('connection', (socket) => socket.setNoDelay(true)); // answers come in several writes
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${server.server.address().port}`));
  });
}

async function main() {
  for (let i = 0; i < settings.count; i++) {
    console.log(await start());
  }
  console.log('');
}

main();
