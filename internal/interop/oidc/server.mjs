// An OpenID Connect server for tests: the npm package oidc-provider with fixed
// accounts and clients, in memory, on two free ports of 127.0.0.1.
//
//   node server.mjs SETTINGS
//
// SETTINGS is a JSON file: accounts (addresses), accessLifetime (seconds),
// rotate (whether refresh tokens are replaced when they are used) and clients
// (id, secret, jwk and method, RFC 7591's token_endpoint_auth_method, signsIn
// and alone). The first line printed is the issuer, the second the URL of the
// control endpoints, which tests use behind a client's back:
//
//   GET  /hits            how often each "PATH" was asked for; with a
//                         grant_type it is "PATH GRANT_TYPE"
//   POST /fault?status=N  the next token request is answered with status N and
//                         nothing is done; with lost=1 instead it is done and
//                         its answer lost. Faults queue up.
//   POST /revoke?account= every sign-in of the account ends, with its tokens;
//                         at /revoke-access its access tokens alone
//   POST /approve?user_code=&account= the account agrees to a device sign-in;
//                         at /deny it declines
//   POST /down, POST /up  the server leaves its port, and comes back to it with
//                         everything it knew
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const scopes = ['openid', 'email', 'offline_access', 'mail', 'calendar'];

const hits = {};
const faults = [];
const grants = new Map(settings.accounts.map((account) => [account, []])); // ids
const accessTokens = new Map(settings.accounts.map((account) => [account, []]));

function configuration() {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const confidential = (ctx, client) => client.clientAuthMethod !== 'none';
  const week = 7 * 24 * 60 * 60;
  return {
    clients: settings.clients.map(client),
    scopes,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // the address is in the id_token
    findAccount: (ctx, id) => grants.has(id) && {
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: true }),
    },
    extraTokenClaims: (ctx, token) => ({ username: token.accountId, email: token.accountId }),
    pkce: { required: () => true }, // and S256 is the only method
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: settings.rotate, // then a second use of the old one ends the grant
    expiresWithSession: () => false,
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: confidential },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    clientBasedCORS: () => false,
    renderError: (ctx, out) => {
      ctx.type = 'text/plain';
      ctx.body = `${out.error}: ${out.error_description}\n`;
    },
    clockTolerance: 0,
    ttl: {
      AccessToken: settings.accessLifetime,
      AuthorizationCode: 60,
      DeviceCode: 600,
      IdToken: 3600,
      RefreshToken: week,
      Grant: week,
      Session: week,
      Interaction: 600,
    },
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: 'test' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
  };
}

// client is a client's registration. One that is alone gets tokens in its own
// name. A native application's loopback redirects
// may have any port (RFC 8252 section 7.3).
function client({ id, secret, jwk, method, signsIn, alone }) {
  return {
    client_id: id,
    ...(secret && { client_secret: secret }),
    ...(jwk && { jwks: { keys: [jwk] } }),
    token_endpoint_auth_method: method,
    application_type: 'native',
    grant_types: [...(signsIn ? ['authorization_code', 'refresh_token', deviceGrant] : []), ...(alone ? ['client_credentials'] : [])],
    response_types: signsIn ? ['code'] : [],
    redirect_uris: signsIn ? ['http://localhost', 'http://localhost/callback', 'http://localhost/Callback', 'http://127.0.0.1'] : [],
  };
}

// recognisable has tokens look like those of the other test servers, so that a
// search of what tests print finds them: a prefix, a hyphen and base32.
function recognisable({ AccessToken, AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken }) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const models = { at: AccessToken, cc: ClientCredentials, code: AuthorizationCode, dc: DeviceCode, rt: RefreshToken };
  for (const [prefix, model] of Object.entries(models)) {
    const generate = model.prototype.generateTokenId;
    model.prototype.generateTokenId = function recognisableId() {
      generate.call(this); // which also decides on the token's format
      return `${prefix}-${Array.from(randomBytes(26), (byte) => alphabet[byte % 32]).join('')}`;
    };
  }
}

// approve is the user's part of a sign-in: whoever login_hint names signs in
// and consents to everything.
async function approve(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = params.login_hint;
  if (!grants.has(accountId)) {
    await provider.interactionFinished(request, response, {
      error: 'access_denied',
      error_description: 'login_hint names no account',
    });
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  grants.get(accountId).push(grantId);
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
}

// approveDevice is the user's part of a sign-in with a device code.
async function approveDevice(userCode, accountId, agrees) {
  const code = await provider.DeviceCode.findByUserCode(userCode.replace(/\W/g, '').toUpperCase());
  if (!code || code.accountId || code.error) {
    throw new Error(`no device waits with the code ${userCode}`);
  }
  if (!agrees) {
    Object.assign(code, { error: 'access_denied', errorDescription: 'the user declined' });
    await code.save();
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: code.clientId });
  grant.addOIDCScope(code.params.scope);
  const grantId = await grant.save();
  grants.get(accountId).push(grantId);
  Object.assign(code, { accountId, grantId, scope: code.params.scope, authTime: Math.floor(Date.now() / 1000) });
  await code.save();
}

// answer is what stands before the provider: interactions, faults and counting.
async function answer(ctx, next) {
  if (ctx.path.startsWith('/interaction/')) {
    ctx.respond = false;
    await approve(ctx.req, ctx.res);
    return;
  }
  const fault = ctx.path === '/token' ? faults.shift() : undefined;
  let grantType;
  if (fault?.status) {
    grantType = new URLSearchParams(await body(ctx.req)).get('grant_type');
    ctx.status = fault.status;
    ctx.body = '';
  } else {
    await next();
    grantType = ctx.oidc?.params?.grant_type;
  }
  const name = grantType ? `${ctx.path} ${grantType}` : ctx.path;
  hits[name] = (hits[name] ?? 0) + 1;
  if (fault?.lost) {
    ctx.respond = false;
    ctx.req.socket.destroy();
  }
}

async function body(stream) {
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function revoke(account) {
  for (const grantId of grants.get(account).splice(0)) {
    for (const kind of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode]) {
      await kind.revokeByGrantId(grantId);
    }
    await (await provider.Grant.find(grantId))?.destroy();
  }
}

// revokeAccess does what the revocation endpoint of this provider does not: an
// access token that is revoked there takes the whole sign-in with it.
async function revokeAccess(account) {
  for (const token of accessTokens.get(account).splice(0)) {
    await token.destroy();
  }
}

// control answers a test's request; it returns what is to be sent, if anything.
async function control(request) {
  const url = new URL(request.url, 'http://127.0.0.1');
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /hits':
      return hits;
    case 'POST /fault':
      faults.push({ status: Number(url.searchParams.get('status')), lost: url.searchParams.has('lost') });
      return {};
    case 'POST /revoke':
      await revoke(url.searchParams.get('account'));
      return {};
    case 'POST /revoke-access':
      await revokeAccess(url.searchParams.get('account'));
      return {};
    case 'POST /approve':
    case 'POST /deny':
      await approveDevice(url.searchParams.get('user_code'), url.searchParams.get('account'), url.pathname === '/approve');
      return {};
    case 'POST /down':
      await new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      });
      return {};
    case 'POST /up':
      await listen(server, port);
      return {};
    default:
      throw new Error(`there is no ${request.method} ${url.pathname}`);
  }
}

// listen returns the port.
function listen(server, port) {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', failed);
      done(server.address().port);
    });
  });
}

// The issuer is known only with the port, so the server listens first.
const server = createServer();
const port = await listen(server, 0);
const provider = new Provider(`http://127.0.0.1:${port}`, configuration());
recognisable(provider);
provider.use(answer);
provider.on('access_token.saved', (token) => accessTokens.get(token.accountId).push(token));
for (const refusal of ['authorization.error', 'grant.error', 'introspection.error', 'revocation.error']) {
  provider.on(refusal, (ctx, error) => console.error(`${refusal}: ${error.message}: ${error.error_detail ?? error.error_description}`));
}
provider.on('server_error', (ctx, error) => console.error(error));
server.on('request', provider.callback());

const controls = createServer((request, response) => {
  control(request).then(
    (said) => response.end(JSON.stringify(said)),
    (error) => {
      response.statusCode = 500;
      response.end(String(error));
    },
  );
});
const controlPort = await listen(controls, 0);
console.log(`${provider.issuer}\nhttp://127.0.0.1:${controlPort}`);
