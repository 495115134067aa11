// What the launcher has set up (story.py), and what every test starts from.

import * as client from 'openid-client';

export const story = JSON.parse(process.env.STORY);

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Discovery by openid-client. Plain http is for loopback alone, and it wants to be told. */
export function discover(clientId, metadata, authentication, ...more) {
  return client.discovery(new URL(story.issuer), clientId, metadata, authentication, {
    execute: [client.allowInsecureRequests, ...more],
  });
}

/** The configuration of a client with a secret. */
export function withSecret({ client_id, client_secret }, method = client.ClientSecretBasic) {
  return discover(client_id, undefined, method(client_secret));
}

/** The token that B's service account gets for itself. */
export async function machineToken(parameters = {}) {
  return client.clientCredentialsGrant(await withSecret(story.B), parameters);
}

/** The same text with another byte in its signature: one in the middle, where all bits count. */
export function tampered(token) {
  const at = token.length - 20;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}
