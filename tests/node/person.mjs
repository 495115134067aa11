// A person at a browser: it keeps cookies, follows redirects, and fills in the forms of the pages.

import assert from 'node:assert/strict';

import { story } from './story.mjs';

const REFERENCES = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&#34;': '"', '&#39;': "'" };

export class Person {
  #cookies = new Map();
  #credentials;

  /** By default the IAM user of the story; 'root' is the root user of the same account. */
  constructor(kind = 'iam') {
    const { root_email, root_password, username, password } = story.A;
    this.#credentials =
      kind === 'root'
        ? { kind, root_email, username: '', password: root_password }
        : { kind, root_email, username, password };
  }

  /** Opens an authorization request, signs in where asked to, approves. Returns where that ends. */
  async approves(url) {
    let page = await this.open(url);
    if (page.title.startsWith('Sign in')) page = await this.#signIn(page);
    if (page.title.startsWith('Allow access?')) page = await this.#submit(page.forms[0]);
    return page.away;
  }

  /** The like, with a no. */
  async denies(url) {
    const page = await this.#signIn(await this.open(url));
    return (await this.#submit(page.forms[1])).away;
  }

  /** The page that a GET ends at; `away` instead, where it leads to another site. */
  async open(url) {
    return this.#go(new URL(url), { method: 'GET' });
  }

  async #signIn(page) {
    return this.#submit(page.forms[0], this.#credentials);
  }

  async #submit(form, typed = {}) {
    const body = new URLSearchParams({ ...form.hidden, ...typed });
    return this.#go(new URL(form.action, story.issuer), { method: 'POST', body });
  }

  async #go(url, request) {
    for (let hops = 0; hops < 10; hops += 1) {
      if (url.origin !== story.issuer) return { title: '', away: url };
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(url, { ...request, redirect: 'manual', headers: { cookie } });
      for (const line of response.headers.getSetCookie()) this.#keep(line);
      const location = response.headers.get('location');
      if (location === null) return read(await response.text(), response.status);
      assert.equal(response.status, 303);
      url = new URL(location, url);
      request = { method: 'GET' };
    }
    throw new Error(`too many redirects at ${url.pathname}`);
  }

  #keep(line) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value === '') this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

function read(html, status) {
  return {
    status,
    title: /<title>(.*?)<\/title>/.exec(html)[1],
    forms: [...html.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)].map(([, tag, inside]) => ({
      action: attributes(tag).action,
      hidden: Object.fromEntries(
        [...inside.matchAll(/<input([^>]*)>/g)]
          .map(([, input]) => attributes(input))
          .filter(({ type }) => type === 'hidden')
          .map(({ name, value }) => [name, value]),
      ),
    })),
  };
}

function attributes(tag) {
  return Object.fromEntries(
    [...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value.replace(/&[#\w]+;/g, (reference) => REFERENCES[reference]),
    ]),
  );
}
