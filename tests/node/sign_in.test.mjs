// A web application signs a person in: OpenID Connect Core section 3.1, by openid-client.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { decodeProtectedHeader, importJWK } from 'jose';
import * as client from 'openid-client';

import { Person } from './person.mjs';
import { discover, story, withSecret } from './story.mjs';

const SCOPE = 'openid profile email offline_access';

let config;

before(async () => {
  const { client_id, client_secret } = story.web;
  config = await discover(
    client_id,
    { id_token_signed_response_alg: 'RS256', require_auth_time: true },
    client.ClientSecretBasic(client_secret),
    // By default it trusts an ID token that comes from the token endpoint: here it has to check.
    client.enableNonRepudiationChecks,
  );
});

/** An authorization request, and the checks that go with its answer. */
async function request(more = {}, of = config) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  const url = client.buildAuthorizationUrl(of, {
    redirect_uri: story.web.redirect_uri,
    scope: SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  });
  return { url, checks };
}

async function signedIn(more = {}, person = new Person()) {
  const { url, checks } = await request(more);
  const tokens = await client.authorizationCodeGrant(config, await person.approves(url), checks);
  return { person, tokens };
}

/** The code, message and cause of an error that openid-client throws. */
function error(code, message) {
  return (thrown) => {
    assert.equal(thrown.error ?? thrown.code, code);
    if (message !== undefined) assert.match(`${thrown.message} ${thrown.cause?.message}`, message);
    return true;
  };
}

describe('discovery', () => {
  test('the metadata is of this issuer and offers S256', () => {
    const metadata = config.serverMetadata();

    assert.equal(metadata.issuer, story.issuer);
    assert.ok(metadata.supportsPKCE());
    assert.ok(metadata.authorization_response_iss_parameter_supported);
  });

  test('the metadata of RFC 8414 says the same', async () => {
    const oauth2 = await client.discovery(
      new URL(story.issuer),
      story.web.client_id,
      undefined,
      undefined,
      { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
    );

    assert.deepEqual(oauth2.serverMetadata(), config.serverMetadata());
  });
});

describe('authorization code', () => {
  test('the ID token is signed with RS256 and holds nonce, audience and subject', async () => {
    const { tokens } = await signedIn();
    const claims = tokens.claims();

    assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'RS256');
    assert.equal(claims.iss, story.issuer);
    assert.equal(claims.sub, story.A.user_id);
    assert.equal(claims.preferred_username, story.A.username);
    assert.deepEqual([claims.aud].flat(), [story.web.client_id]);
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.expires_in, 3600);
  });

  test('a client that proves itself by a key', async () => {
    const { client_id, key } = story.keyed_web;
    const keyed = await discover(
      client_id,
      undefined,
      client.PrivateKeyJwt(await importJWK(key, 'RS256')),
      client.enableNonRepudiationChecks,
    );
    const { url, checks } = await request({ scope: 'openid' }, keyed);

    const answer = await new Person().approves(url);
    const tokens = await client.authorizationCodeGrant(keyed, answer, checks);

    assert.equal(tokens.claims().sub, story.A.user_id);
    assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'ES256');
  });

  test('another nonce is noticed', async () => {
    const { url, checks } = await request();
    const answer = await new Person().approves(url);

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, { ...checks, expectedNonce: 'another' }),
      error('OAUTH_JWT_CLAIM_COMPARISON_FAILED', /nonce/),
    );
  });

  test('another verifier is refused', async () => {
    const { url, checks } = await request();
    const answer = await new Person().approves(url);
    const pkceCodeVerifier = client.randomPKCECodeVerifier();

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, { ...checks, pkceCodeVerifier }),
      error('invalid_grant'),
    );
  });

  test('a code is good once, and its second use ends what the first one gave', async () => {
    const { url, checks } = await request();
    const answer = await new Person().approves(url);
    const tokens = await client.authorizationCodeGrant(config, answer, checks);

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, checks),
      error('invalid_grant'),
    );
    assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), {
      active: false,
    });
  });

  test('the sign-in is as fresh as max_age asks', async () => {
    const { url, checks } = await request({ max_age: '60' });
    const answer = await new Person().approves(url);

    const tokens = await client.authorizationCodeGrant(config, answer, { ...checks, maxAge: 60 });

    assert.ok(Math.abs(tokens.claims().auth_time - Date.now() / 1000) < 60);
  });
});

describe('the issuer in the answer (RFC 9207)', () => {
  test('the answer of another issuer is noticed', async () => {
    const { url, checks } = await request();
    const answer = await new Person().approves(url);
    assert.equal(answer.searchParams.get('iss'), story.issuer);
    answer.searchParams.set('iss', 'https://mallory.example');

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, checks),
      error('OAUTH_INVALID_RESPONSE', /iss/),
    );
  });

  test('an answer without issuer is noticed, for discovery says that there is one', async () => {
    const { url, checks } = await request();
    const answer = await new Person().approves(url);
    answer.searchParams.delete('iss');

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, checks),
      error('OAUTH_INVALID_RESPONSE', /iss/),
    );
  });

  test('errors name the issuer as well', async () => {
    const { url, checks } = await request();
    const answer = await new Person().denies(url);
    assert.equal(answer.searchParams.get('iss'), story.issuer);

    await assert.rejects(
      client.authorizationCodeGrant(config, answer, checks),
      error('access_denied'),
    );
  });

  test('nobody signed in and nobody to be asked is login_required', async () => {
    const { url, checks } = await request({ prompt: 'none' });
    const { away } = await new Person().open(url);

    await assert.rejects(
      client.authorizationCodeGrant(config, away, checks),
      error('login_required'),
    );
  });
});

describe('userinfo', () => {
  test('it tells what the scopes allow, of the subject of the ID token', async () => {
    const { tokens } = await signedIn();

    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);

    assert.equal(info.preferred_username, story.A.username);
  });

  test('a root user is known by its e-mail address', async () => {
    const { tokens } = await signedIn({}, new Person('root'));

    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);

    assert.equal(info.email, story.A.root_email);
    assert.equal(info.account_id, story.A.account_id);
  });

  test('without the scopes it names the subject alone', async () => {
    const { tokens } = await signedIn({ scope: 'openid' });

    const info = await client.fetchUserInfo(config, tokens.access_token, story.A.user_id);

    assert.equal(info.sub, story.A.user_id);
    assert.equal(info.email, undefined);
    assert.equal(info.preferred_username, undefined);
  });

  test('a token that is none is a challenge (RFC 6750)', async () => {
    await assert.rejects(
      client.fetchUserInfo(config, 'not-a-token', story.A.user_id),
      (thrown) => {
        assert.equal(thrown.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE');
        assert.equal(thrown.status, 401);
        assert.equal(thrown.cause[0].scheme, 'bearer');
        assert.equal(thrown.cause[0].parameters.error, 'invalid_token');
        return true;
      },
    );
  });
});

describe('refresh', () => {
  test('each use gives the next refresh token', async () => {
    const { tokens } = await signedIn();

    const next = await client.refreshTokenGrant(config, tokens.refresh_token);

    assert.notEqual(next.refresh_token, tokens.refresh_token);
    assert.notEqual(next.access_token, tokens.access_token);
    const info = await client.fetchUserInfo(config, next.access_token, story.A.user_id);
    assert.equal(info.preferred_username, story.A.username);
  });

  test('the second use of one ends the whole family', async () => {
    const { tokens } = await signedIn();
    const next = await client.refreshTokenGrant(config, tokens.refresh_token);

    for (const token of [tokens.refresh_token, next.refresh_token]) {
      await assert.rejects(client.refreshTokenGrant(config, token), error('invalid_grant'));
    }
  });

  test('it may narrow the scope', async () => {
    const { tokens } = await signedIn();

    const next = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'openid' });

    assert.equal(next.scope, 'openid');
  });
});

describe('logout', () => {
  test('it ends the sign-in and comes back with state', async () => {
    const { person, tokens } = await signedIn();
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: story.web.post_logout_redirect_uri,
      state: 'after',
    });

    const { away } = await person.open(url);

    assert.equal(away.href, `${story.web.post_logout_redirect_uri}?state=after`);
    const again = await person.open((await request()).url);
    assert.match(again.title, /^Sign in/);
    const info = await client.tokenIntrospection(
      await withSecret(story.web),
      tokens.access_token,
    );
    assert.equal(info.active, false);
  });
});
