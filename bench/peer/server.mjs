// node-oidc-provider in two processes, with its memory adapter: client credentials, and a token
// exchange as its documentation has one register a grant. Both issue ES256 JWTs for one API.
//
// Unlike Crossroot it keeps nothing: it stores no JWT that it issues, and it has no audit log.

import cluster from 'node:cluster';

import { createLocalJWKSet, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const WORKERS = 2;

const { issuer, port, key, client_id, client_secret, resource, scope, trusted } = JSON.parse(
  process.env.PEER,
);

if (cluster.isPrimary) {
  for (let number = 0; number < WORKERS; number += 1) cluster.fork();
} else {
  serve();
}

function serve() {
  const api = { scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
  const provider = new Provider(issuer, {
    clients: [
      { client_id, client_secret, grant_types: ['client_credentials', EXCHANGE], redirect_uris: [], response_types: [] },
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [key] },
    scopes: scope.split(' '),
    ttl: { AccessToken: 3600, ClientCredentials: 3600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        getResourceServerInfo: () => api,
      },
    },
    extraTokenClaims: (ctx, token) => token.act && { act: token.act },
  });
  const { d, ...publicKey } = key;
  const keys = createLocalJWKSet({ keys: [publicKey] });

  async function exchange(ctx) {
    const { params, client } = ctx.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest();
    let subject;
    try {
      const rules = { issuer, audience: issuer, typ: 'at+jwt', algorithms: ['ES256'] };
      ({ payload: subject } = await jwtVerify(params.subject_token, keys, rules));
    } catch {
      throw new errors.InvalidRequest('the subject token is not valid');
    }
    const account = trusted[params.requested_subject];
    if (account === undefined || account !== subject.account_id) throw new errors.InvalidTarget();
    if (!params.scope.split(' ').every((each) => api.scope.split(' ').includes(each))) {
      throw new errors.InvalidScope();
    }

    const token = new provider.AccessToken({
      accountId: params.requested_subject,
      client,
      scope: params.scope,
      gty: 'token_exchange',
      resourceServer: new provider.ResourceServer(resource, api),
    });
    token.act = { sub: subject.sub, account_id: subject.account_id };
    ctx.oidc.entity('AccessToken', token);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope,
    };
  }

  provider.registerGrantType(
    EXCHANGE,
    exchange,
    ['subject_token', 'subject_token_type', 'requested_subject', 'scope', 'resource'],
  );
  provider.listen(port, '127.0.0.1');
}
