// Protecting an API: Express, tokens checked by express-oauth2-jwt-bearer, access evaluation asked
// with fetch. Nothing in here is Crossroot's. Started by `node server.js`, with ISSUER, AUDIENCE,
// CLIENT_ID and CLIENT_SECRET in the environment.

'use strict';

const express = require('express');
const { auth } = require('express-oauth2-jwt-bearer');

const { ISSUER, AUDIENCE, CLIENT_ID, CLIENT_SECRET, PORT = '8004' } = process.env;
const authorization =
  'Basic ' +
  Buffer.from([CLIENT_ID, CLIENT_SECRET].map(encodeURIComponent).join(':')).toString('base64');

const app = express();
// Who owns what: by root account and id.
const servers = new Map([
  ['60108/srv-web-1', 'running'],
  ['60108/srv-db-1', 'running'],
]);

// `strict` also wants the type at+jwt and the claims of RFC 9068.
const verified = auth({ issuerBaseURL: ISSUER, audience: AUDIENCE, strict: true });

/** Go on only if the issuer says yes: now, for this token, this action and this resource. */
function allowed(action, resource) {
  return async (request, response, next) => {
    const claims = request.auth.payload;
    let answer;
    try {
      answer = await ask({
        subject: { type: claims.user_type, id: claims.sub, properties: { jti: claims.jti } },
        action: { name: action },
        resource: { type: 'server', id: resource(claims, request.params) },
        context: { 'iam:SourceIp': request.ip },
      });
    } catch {
      // Never a yes.
      response.set('Retry-After', '1').status(503).json({ error: 'temporarily_unavailable' });
      return;
    }
    if (answer.decision === true) {
      next();
      return;
    }
    response
      .set('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${action}"`)
      .status(403)
      .json({ error: 'insufficient_scope' });
  };
}

let endpoint;

async function ask(question) {
  endpoint ??= (await read(fetch(`${ISSUER}/.well-known/authzen-configuration`)))
    .access_evaluation_endpoint;
  const options = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: authorization },
    body: JSON.stringify(question),
    redirect: 'error',
    signal: AbortSignal.timeout(5000),
  };
  return read(fetch(endpoint, options));
}

async function read(answer) {
  const response = await answer;
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response.json();
}

const server = (claims, { id }) => `vserver::${claims.account_id}:server/${id}`;

app.post(
  '/v1/servers/:id/stop',
  verified,
  allowed('vserver:StopServer', server),
  (request, response) => {
    const { account_id, act, sub } = request.auth.payload;
    const { id } = request.params;
    if (!servers.has(`${account_id}/${id}`)) {
      response.status(404).json({ error: 'not_found' });
      return;
    }
    servers.set(`${account_id}/${id}`, 'stopped');
    response.json({ id, status: 'stopped', by: act?.username ?? sub });
  },
);

app.use((error, request, response, next) => {
  response.set(error.headers ?? {}).status(error.status ?? 500);
  response.json({ error: error.code ?? 'unauthorized' });
});

app.listen(Number(PORT), '127.0.0.1');
