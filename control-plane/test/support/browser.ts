/** Follows redirections and keeps cookies, as a browser does. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** The answer to a request; redirections are not followed. */
  async send(url: string, form?: Readonly<Record<string, string>>): Promise<Response> {
    const { host } = new URL(url);
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (pair.slice(at + 1) === '' || /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }

  /** Follows redirections until there is none, or one leads to a place that `stopsAt` names. */
  async follow(
    url: string,
    stopsAt: (url: string) => boolean,
    form?: Readonly<Record<string, string>>,
  ): Promise<{ url: string; response?: Response }> {
    let response = await this.send(url, form);
    let at = url;
    while (response.status >= 300 && response.status < 400) {
      at = new URL(response.headers.get('location') ?? '', at).href;
      if (stopsAt(at)) return { url: at };
      response = await this.send(at);
    }
    return { url: at, response };
  }
}
