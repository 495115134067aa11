// A resource server checks our access tokens (RFC 9068 section 4): once by jose alone, once as an
// Express API behind express-oauth2-jwt-bearer.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import express from 'express';
import { auth, claimCheck, requiredScopes } from 'express-oauth2-jwt-bearer';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import * as client from 'openid-client';

import { Person } from './person.mjs';
import {
  ACCESS_TOKEN,
  EXCHANGE,
  discover,
  machineToken,
  story,
  tampered,
  withSecret,
} from './story.mjs';

const audience = story.vserver.identifier;

let config;
/** What a person got at sign-in, and what it was exchanged for. */
let person;
let impersonation;

before(async () => {
  const { client_id, client_secret, redirect_uri } = story.web;
  config = await discover(
    client_id,
    { id_token_signed_response_alg: 'RS256' },
    client.ClientSecretBasic(client_secret),
  );
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid iam:ImpersonateServiceAccount',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  person = await client.authorizationCodeGrant(config, await new Person().approves(url), {
    pkceCodeVerifier,
    idTokenExpected: true,
  });
  impersonation = await exchanged('vserver:ListServers');
});

/** A token of B's service account with that scope, by which the person acts. */
async function exchanged(scope) {
  const tokens = await client.genericGrantRequest(config, EXCHANGE, {
    subject_token: person.access_token,
    subject_token_type: ACCESS_TOKEN,
    requested_subject: story.B.service_account_id,
    resource: audience,
    scope,
  });
  return tokens.access_token;
}

describe('jose', () => {
  let keys;
  let rules;

  before(() => {
    const metadata = config.serverMetadata();
    keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
    rules = {
      issuer: story.issuer,
      audience,
      typ: 'at+jwt',
      algorithms: metadata.id_token_signing_alg_values_supported,
      requiredClaims: ['sub', 'client_id', 'exp', 'iat', 'jti'],
    };
  });

  test('accepts an impersonation token', async () => {
    const { payload, protectedHeader } = await jwtVerify(impersonation, keys, rules);

    assert.equal(protectedHeader.alg, 'ES256');
    assert.equal(payload.sub, story.B.service_account_id);
    assert.equal(payload.act.username, story.A.username);
  });

  test("accepts a service account's own token", async () => {
    const { access_token } = await machineToken({ resource: audience });

    const { payload } = await jwtVerify(access_token, keys, rules);

    assert.equal(payload.act, undefined);
  });

  test('refuses a token for another API', async () => {
    await assert.rejects(jwtVerify(person.access_token, keys, rules), {
      code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      claim: 'aud',
    });
  });

  test('refuses an ID token, even of a client that has the name of the API', async () => {
    const confused = { ...rules, audience: story.web.client_id };

    await assert.rejects(jwtVerify(person.id_token, keys, confused), {
      code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      claim: 'typ',
    });
  });

  test('refuses an expired token', async () => {
    await assert.rejects(jwtVerify(story.expired_token, keys, rules), errors.JWTExpired);
  });

  test('refuses a tampered token', async () => {
    await assert.rejects(
      jwtVerify(tampered(impersonation), keys, rules),
      errors.JWSSignatureVerificationFailed,
    );
  });

  test('finds the RSA key of ID tokens in the same set', async () => {
    const { payload } = await jwtVerify(person.id_token, keys, {
      issuer: story.issuer,
      audience: story.web.client_id,
      algorithms: ['RS256'],
    });

    assert.equal(decodeProtectedHeader(person.id_token).alg, 'RS256');
    assert.equal(payload.sub, story.A.user_id);
  });
});

describe('express-oauth2-jwt-bearer', () => {
  let api;
  let address;

  before(async () => {
    const app = express();
    // The client's id among the audiences: then its ID token is refused for its type alone.
    const audiences = [audience, story.web.client_id];
    app.use(auth({ issuerBaseURL: story.issuer, audience: audiences, strict: true }));
    app.get('/servers', requiredScopes('vserver:ListServers'), (request, response) => {
      response.json(request.auth.payload);
    });
    app.get(
      '/guests',
      claimCheck(({ act }) => act?.account_id === story.A.account_id),
      (request, response) => response.json(request.auth.payload.act),
    );
    app.use((error, request, response, _next) => {
      response.status(error.status).set(error.headers).json({ error: error.code });
    });
    api = app.listen(0, '127.0.0.1');
    await once(api, 'listening');
    address = `http://127.0.0.1:${api.address().port}`;
  });

  after(() => {
    api.closeAllConnections();
    api.close();
  });

  function get(path, token) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return fetch(`${address}${path}`, { headers });
  }

  test('lets an impersonation token with the scope in', async () => {
    const response = await get('/servers', impersonation);

    assert.equal(response.status, 200);
    const claims = await response.json();
    assert.equal(claims.sub, story.B.service_account_id);
    assert.equal(claims.act.sub, story.A.user_id);
  });

  test('by fetchProtectedResource of openid-client', async () => {
    const url = new URL('/servers', address);

    const response = await client.fetchProtectedResource(config, impersonation, url, 'GET');

    assert.equal(response.status, 200);
  });

  test('says insufficient_scope where the scope is another', async () => {
    const response = await get('/servers', await exchanged('vserver:GetServer'));

    assert.equal(response.status, 403);
    assert.equal((await response.json()).error, 'insufficient_scope');
    assert.match(response.headers.get('www-authenticate'), /scope="vserver:ListServers"/);
  });

  test('can ask for an actor of a certain account', async () => {
    const own = await machineToken({ resource: audience });

    assert.equal((await get('/guests', impersonation)).status, 200);
    assert.equal((await get('/guests', own.access_token)).status, 401);
  });

  const refused = [
    ['a token for another API', () => person.access_token],
    ['an ID token', () => person.id_token],
    ['an expired token', () => story.expired_token],
    ['a tampered token', () => tampered(impersonation)],
    ['a text that is no token', () => 'none'],
  ];
  for (const [name, token] of refused) {
    test(`refuses ${name}`, async () => {
      const response = await get('/servers', token());

      assert.equal(response.status, 401);
      assert.equal((await response.json()).error, 'invalid_token');
    });
  }

  test('asks for a token where there is none', async () => {
    const response = await get('/servers');

    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate'), /^Bearer /);
  });

  test('a revoked token is known to introspection alone', async () => {
    const token = await exchanged('vserver:ListServers');
    await client.tokenRevocation(config, token);

    assert.equal((await get('/servers', token)).status, 200);
    const state = await client.tokenIntrospection(await withSecret(story.vserver), token);
    assert.equal(state.active, false);
  });
});
