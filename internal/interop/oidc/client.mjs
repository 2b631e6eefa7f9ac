// An OpenID Connect client for tests: the npm package openid-client.
//
//   node client.mjs ISSUER CLIENT_ID ADDRESS
//
// It finds the issuer's endpoints, signs ADDRESS in with a code and PKCE,
// checks the signature of the id_token, refreshes, signs in with a device code,
// revokes the refresh token and tries it once more. It prints what happened as
// JSON. login_hint has the server let the user in without asking.
import * as client from 'openid-client';

const [issuer, clientId, address] = process.argv.slice(2);
const redirect = 'http://127.0.0.1:9/callback'; // nobody needs to listen there

const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const authorization = client.buildAuthorizationUrl(config, {
  redirect_uri: redirect,
  scope: 'openid email offline_access mail',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  login_hint: address,
  state,
  nonce,
});
const answer = await fetch(authorization, { redirect: 'manual' });
const first = await client.authorizationCodeGrant(config, new URL(answer.headers.get('location')), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
});
const second = await client.refreshTokenGrant(config, first.refresh_token);

const device = await client.initiateDeviceAuthorization(config, { scope: 'openid email offline_access mail' });
await fetch(`${device.verification_uri_complete}&login_hint=${encodeURIComponent(address)}`);
const third = await client.pollDeviceAuthorizationGrant(config, device);

await client.tokenRevocation(config, second.refresh_token);
let afterRevocation = 'a token';
try {
  await client.refreshTokenGrant(config, second.refresh_token);
} catch (error) {
  afterRevocation = error.error ?? String(error);
}

const isNew = second.access_token !== first.access_token && second.refresh_token !== first.refresh_token;
console.log(
  JSON.stringify({
    email: first.claims().email,
    refreshed: isNew ? 'new tokens' : 'the old tokens',
    device: third.claims().email,
    afterRevocation,
  }),
);
