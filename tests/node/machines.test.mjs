// A service account speaks for itself: RFC 6749 section 4.4, by every way to authenticate, in
// openid-client and in oauth4webapi. Then what becomes of its tokens: RFC 7662 and RFC 7009.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { decodeJwt, decodeProtectedHeader, importJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

import { discover, machineToken, story, withSecret } from './story.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };

let server;
let key;

before(async () => {
  const issuer = new URL(story.issuer);
  const response = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' });
  server = await oauth.processDiscoveryResponse(issuer, response);
  key = await importJWK(story.keyed.key, 'ES256');
});

/** client_credentials by oauth4webapi. */
async function grant(clientId, authentication, parameters = {}) {
  const who = { client_id: clientId };
  const response = await oauth.clientCredentialsGrantRequest(
    server,
    who,
    authentication,
    parameters,
    insecure,
  );
  return oauth.processClientCredentialsResponse(server, who, response);
}

function isChallenged(thrown) {
  assert.equal(thrown.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE');
  assert.equal(thrown.status, 401);
  assert.equal(thrown.cause[0].scheme, 'basic');
  return true;
}

describe('client_credentials by openid-client', () => {
  for (const [name, method] of [
    ['client_secret_basic', client.ClientSecretBasic],
    ['client_secret_post', client.ClientSecretPost],
  ]) {
    test(name, async () => {
      const config = await withSecret(story.B, method);

      const tokens = await client.clientCredentialsGrant(config, { scope: 'vserver:List*' });

      assert.equal(tokens.scope, 'vserver:List*');
      assert.equal(decodeJwt(tokens.access_token).sub, story.B.service_account_id);
      assert.equal(tokens.refresh_token, undefined);
    });
  }

  test('private_key_jwt', async () => {
    const { client_id, service_account_id } = story.keyed;
    const config = await discover(client_id, undefined, client.PrivateKeyJwt(key));

    const tokens = await client.clientCredentialsGrant(config);

    assert.equal(decodeJwt(tokens.access_token).sub, service_account_id);
  });

  test('a resource names the API (RFC 8707)', async () => {
    const { access_token } = await machineToken({ resource: story.vserver.identifier });

    assert.deepEqual(decodeJwt(access_token).aud, [story.vserver.identifier]);
    assert.equal(decodeProtectedHeader(access_token).typ, 'at+jwt');
  });

  test('a resource that nobody registered is invalid_target', async () => {
    await assert.rejects(machineToken({ resource: 'https://unknown.example' }), {
      error: 'invalid_target',
      status: 400,
    });
  });

  test('a wrong secret', async () => {
    const config = await withSecret({ ...story.B, client_secret: 'wrong' });

    await assert.rejects(client.clientCredentialsGrant(config), isChallenged);
  });
});

describe('client_credentials by oauth4webapi', () => {
  test('client_secret_basic', async () => {
    // It percent-encodes every - and _ of id and secret (RFC 6749 section 2.3.1).
    const { client_id, client_secret, service_account_id } = story.B;

    const tokens = await grant(client_id, oauth.ClientSecretBasic(client_secret));

    assert.equal(decodeJwt(tokens.access_token).sub, service_account_id);
  });

  test('client_secret_post', async () => {
    const { client_id, client_secret, service_account_id } = story.B;

    const tokens = await grant(client_id, oauth.ClientSecretPost(client_secret));

    assert.equal(decodeJwt(tokens.access_token).sub, service_account_id);
  });

  test('private_key_jwt', async () => {
    const { client_id, service_account_id } = story.keyed;

    const tokens = await grant(client_id, oauth.PrivateKeyJwt(key));

    assert.equal(decodeJwt(tokens.access_token).sub, service_account_id);
  });

  test('an assertion is good once', async () => {
    const { client_id } = story.keyed;
    const once = oauth.PrivateKeyJwt(key, {
      [oauth.modifyAssertion]: (header, payload) => {
        payload.jti = 'the same each time';
      },
    });

    await grant(client_id, once);

    await assert.rejects(grant(client_id, once), isChallenged);
  });

  test('an assertion for the token endpoint is none for the issuer', async () => {
    const aimed = oauth.PrivateKeyJwt(key, {
      [oauth.modifyAssertion]: (header, payload) => {
        payload.aud = server.token_endpoint;
      },
    });

    await assert.rejects(grant(story.keyed.client_id, aimed), isChallenged);
  });

  test("another client's key", async () => {
    await assert.rejects(grant(story.B.client_id, oauth.PrivateKeyJwt(key)), isChallenged);
  });
});

describe('introspection and revocation', () => {
  test('the API that a token is for learns what it may do', async () => {
    const { access_token } = await machineToken({ scope: 'vserver:List*' });

    const state = await client.tokenIntrospection(await withSecret(story.vserver), access_token);

    assert.equal(state.active, true);
    assert.equal(state.scope, 'vserver:List*');
    assert.equal(state.sub, story.B.service_account_id);
    assert.equal(state.client_id, story.B.client_id);
  });

  test('a client that it does not concern learns nothing', async () => {
    const { access_token } = await machineToken();

    const state = await client.tokenIntrospection(await withSecret(story.web), access_token);

    assert.deepEqual(state, { active: false });
  });

  test('oauth4webapi introspects by a key', async () => {
    const who = { client_id: story.keyed.client_id };
    const { access_token } = await grant(who.client_id, oauth.PrivateKeyJwt(key));

    const response = await oauth.introspectionRequest(
      server,
      who,
      oauth.PrivateKeyJwt(key),
      access_token,
      insecure,
    );
    const state = await oauth.processIntrospectionResponse(server, who, response);

    assert.equal(state.active, true);
  });

  test('a revoked token is no longer active', async () => {
    const config = await withSecret(story.B);
    const { access_token } = await machineToken();
    assert.equal((await client.tokenIntrospection(config, access_token)).active, true);

    await client.tokenRevocation(config, access_token, { token_type_hint: 'access_token' });

    assert.deepEqual(await client.tokenIntrospection(config, access_token), { active: false });
  });

  test('oauth4webapi revokes a token, and another time without complaint', async () => {
    const who = { client_id: story.B.client_id };
    const secret = oauth.ClientSecretBasic(story.B.client_secret);
    const { access_token } = await machineToken();

    for (let times = 0; times < 2; times += 1) {
      const response = await oauth.revocationRequest(server, who, secret, access_token, insecure);
      await oauth.processRevocationResponse(response);
    }

    const state = await client.tokenIntrospection(await withSecret(story.B), access_token);
    assert.equal(state.active, false);
  });
});
