// The sample of docs/protect-an-api.md for Express, as a program of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import * as client from 'openid-client';

import { machineToken, story, tampered, withSecret } from './story.mjs';

const sample = fileURLToPath(new URL('../../examples/protect_express/server.js', import.meta.url));
const libraries = fileURLToPath(new URL('node_modules', import.meta.url));

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The sample, running; `issuer` is who it asks. */
async function run(issuer) {
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    NODE_PATH: libraries,
    ISSUER: issuer,
    AUDIENCE: story.vserver.identifier,
    CLIENT_ID: story.vserver.client_id,
    CLIENT_SECRET: story.vserver.client_secret,
    PORT: String(port),
  };
  const program = spawn(process.execPath, [sample], { env, stdio: 'inherit' });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    assert.equal(program.exitCode, null, 'the sample has ended');
    try {
      await fetch(url);
      return { program, url };
    } catch {
      await setTimeout(20);
    }
  }
}

describe('the Express sample', () => {
  let running;

  before(async () => {
    running = await run(story.issuer);
  });

  after(() => running.program.kill());

  function stop(id, token) {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    return fetch(`${running.url}/v1/servers/${id}/stop`, { method: 'POST', headers });
  }

  const own = async (fields = {}) =>
    (await machineToken({ resource: story.vserver.identifier, ...fields })).access_token;

  test('stops a server', async () => {
    const response = await stop('srv-web-1', await own());

    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      id: 'srv-web-1',
      status: 'stopped',
      by: story.B.service_account_id,
    });
  });

  test('refuses what is no token for this API', async () => {
    const issuersOwn = (await machineToken({ resource: 'iam' })).access_token;

    for (const token of [undefined, 'none', issuersOwn, tampered(await own())]) {
      const response = await stop('srv-web-1', token);
      assert.equal(response.status, 401);
      assert.match(response.headers.get('www-authenticate'), /^Bearer/);
    }
  });

  test('refuses what the token does not allow', async () => {
    const response = await stop('srv-web-1', await own({ scope: 'vserver:List*' }));

    assert.equal(response.status, 403);
    assert.match(response.headers.get('www-authenticate'), /error="insufficient_scope"/);
  });

  test('knows nothing of a server that the account does not have', async () => {
    assert.equal((await stop('srv-none', await own())).status, 404);
  });

  test('refuses a revoked token at once', async () => {
    const token = await own();
    assert.equal((await stop('srv-web-1', token)).status, 200);

    await client.tokenRevocation(await withSecret(story.B), token);

    assert.equal((await stop('srv-web-1', token)).status, 403);
  });
});
