// A person becomes a service account of another root account: RFC 8693, by the two libraries'
// door for grants that they have no name for. The client is the public command line (RFC 8252).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { before, describe, test } from 'node:test';

import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

import { Person } from './person.mjs';
import { ACCESS_TOKEN, EXCHANGE, discover, story, withSecret } from './story.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const cli = { client_id: story.cli_client_id };

let server;
let config;
let userToken;

before(async () => {
  const issuer = new URL(story.issuer);
  server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, insecure),
  );
  config = await discover(cli.client_id, undefined, client.None());
  ({ access_token: userToken } = await signInOnLoopback());
});

/** The code flow of a program on one's own machine, by oauth4webapi, with a real callback. */
async function signInOnLoopback() {
  const callback = createServer((request, response) => response.end('You can close this page.'));
  callback.listen(0, '127.0.0.1');
  await once(callback, 'listening');
  try {
    const redirect_uri = `http://127.0.0.1:${callback.address().port}/callback`;
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      ...cli,
      response_type: 'code',
      redirect_uri,
      scope: 'openid offline_access',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });

    const [[request], away] = await Promise.all([
      once(callback, 'request'),
      new Person().approves(url).then(async (there) => {
        await (await fetch(there)).text();
        return there;
      }),
    ]);

    assert.equal(new URL(request.url, redirect_uri).href, away.href);
    const answer = oauth.validateAuthResponse(server, cli, away, state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      cli,
      oauth.None(),
      answer,
      redirect_uri,
      verifier,
      insecure,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, cli, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    await oauth.validateApplicationLevelSignature(server, response, insecure);
    return tokens;
  } finally {
    callback.closeAllConnections();
    callback.close();
  }
}

/** The exchange by openid-client; what is undefined is left out. */
function exchange(parameters = {}, by = config) {
  const form = {
    subject_token: userToken,
    subject_token_type: ACCESS_TOKEN,
    requested_subject: story.B.service_account_id,
    ...parameters,
  };
  const sent = Object.entries(form).filter(([, value]) => value !== undefined);
  return client.genericGrantRequest(by, EXCHANGE, Object.fromEntries(sent));
}

describe('impersonation', () => {
  test('by openid-client: the token is the service account, and names who acts', async () => {
    const tokens = await exchange({ scope: 'vserver:ListServers', display_name: 'on call' });
    const claims = decodeJwt(tokens.access_token);

    assert.equal(tokens.issued_token_type, ACCESS_TOKEN);
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.scope, 'vserver:ListServers');
    assert.equal(tokens.refresh_token, undefined);
    assert.equal(claims.sub, story.B.service_account_id);
    assert.equal(claims.account_id, story.B.account_id);
    assert.deepEqual(claims.act, {
      sub: story.A.user_id,
      account_id: story.A.account_id,
      user_type: 'iam-user',
      username: story.A.username,
      name: 'on call',
    });
  });

  test('by oauth4webapi, the service account named as audience by its VRN', async () => {
    const response = await oauth.genericTokenEndpointRequest(
      server,
      cli,
      oauth.None(),
      EXCHANGE,
      { subject_token: userToken, subject_token_type: ACCESS_TOKEN, audience: story.B.vrn },
      insecure,
    );
    const tokens = await oauth.processGenericTokenEndpointResponse(server, cli, response);

    assert.equal(decodeJwt(tokens.access_token).act.username, story.A.username);
    assert.equal(tokens.expires_in, 3600);
  });

  test('it lives no longer than asked', async () => {
    assert.equal((await exchange({ requested_expires_in: '60' })).expires_in, 60);
  });

  test('the result can be narrowed, and keeps who acts', async () => {
    const wide = await exchange();

    const narrow = await exchange({
      subject_token: wide.access_token,
      requested_subject: undefined,
      scope: 'vserver:GetServer',
    });

    assert.equal(narrow.scope, 'vserver:GetServer');
    assert.equal(decodeJwt(narrow.access_token).act.sub, story.A.user_id);
    assert.ok(decodeJwt(narrow.access_token).exp <= decodeJwt(wide.access_token).exp);
  });

  test('ending the token that it came of ends it', async () => {
    const { access_token } = await exchange();
    const own = await exchange({ subject_token: access_token, requested_subject: undefined });

    await client.tokenRevocation(config, access_token);

    const api = await withSecret(story.vserver);
    assert.deepEqual(await client.tokenIntrospection(api, own.access_token), { active: false });
  });
});

describe('refusals are errors of OAuth', () => {
  const refused = [
    ['an unknown service account', { requested_subject: 'sa-of-nobody' }, 'invalid_target'],
    ['a subject token that is none', { subject_token: 'none' }, 'invalid_request'],
    ['a scope that would widen', { scope: 'iam:CreatePolicy' }, 'invalid_scope'],
    ['an actor token', { actor_token: 'x', actor_token_type: ACCESS_TOKEN }, 'invalid_request'],
  ];
  for (const [name, parameters, code] of refused) {
    test(`${name} is ${code}`, async () => {
      await assert.rejects(exchange(parameters), (thrown) => {
        assert.ok(thrown instanceof client.ResponseBodyError);
        assert.equal(thrown.error, code);
        assert.equal(thrown.status, 400);
        return true;
      });
    });
  }

  test('a decision has an id to ask about', async () => {
    await assert.rejects(exchange({ requested_subject: 'sa-of-nobody' }), (thrown) => {
      assert.match(thrown.cause.decision_id, /^[0-9a-f-]{36}$/);
      return true;
    });
  });

  test('the token of another client', async () => {
    await assert.rejects(exchange({}, await withSecret(story.web)), { error: 'invalid_request' });
  });
});
