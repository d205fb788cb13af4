import type { FastifyInstance, FastifyReply } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { SignIn } from '../../sign-in/sign-in.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, isPublic } from '../define-route.js';
import { anything, input, text } from '../schemas.js';

const cookieName = 'turso-byoc-sign-in';
const callback = '/sign-in/callback';
/** The page shows a token: it is neither kept, nor framed, nor does it load anything. */
const pageHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; style-src 'unsafe-inline'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

interface BeginRoute {
  Querystring: { port?: string; redirect?: string; type?: string; state?: string };
}

/**
 * The CLI's browser login: `turso auth login` opens the root of the site, which sends the person to the identity provider
 * and then, with a platform token, back to the CLI on the person's own machine, or shows the token.
 */
export function registerSignInRoutes(app: FastifyInstance, context: ApiContext): void {
  for (const [url, operation] of [
    ['/', 'signIn'],
    ['/signup', 'signUp'],
  ] as const) {
    defineRoute<BeginRoute>(app, {
      method: 'GET',
      url,
      operation,
      summary: 'Sends a person to the identity provider; answers with a redirection, not with status 200.',
      access: isPublic,
      errors: ['DATA_PLANE_UNAVAILABLE', 'MALFORMED_REQUEST', 'RATE_LIMITED', 'SIGN_IN_FAILED', 'SIGN_IN_NOT_SET_UP'],
      query: input({
        port: { type: 'string', pattern: '^[0-9]{1,5}$' },
        redirect: { type: 'string', enum: ['', 'true', 'false'] },
        type: text,
        state: { type: 'string', maxLength: 512 },
      }),
      answer: anything,
      handler: async ({ query }, reply) => {
        const signIn = requireSignIn(context);
        const port = query.redirect === 'false' || query.port === undefined ? undefined : Number(query.port);
        if (port !== undefined && (port < 1 || port > 65_535)) {
          throw new ControlPlaneError('MALFORMED_REQUEST', '"port" is not a port');
        }
        const begun = await signIn.begin({
          ...(port !== undefined && { port }),
          ...(query.state !== undefined && { state: query.state }),
        });
        return redirect(reply.header('set-cookie', cookie(begun.cookie, 600, context)), begun.url);
      },
    });
  }
  defineRoute(app, {
    method: 'GET',
    url: callback,
    operation: 'endSignIn',
    summary: 'Where the identity provider sends people back to; answers with a redirection to the CLI, or a page.',
    access: isPublic,
    errors: ['API_TOKEN_EXISTS', 'DATA_PLANE_UNAVAILABLE', 'SIGN_IN_FAILED', 'SIGN_IN_NOT_SET_UP'],
    audit: 'user-sign-in',
    answer: anything,
    handler: async (request, reply) => {
      const signIn = requireSignIn(context);
      const query = request.url.slice(request.url.indexOf('?') + 1);
      const presented = new RegExp(`(?:^|; *)${cookieName}=([A-Za-z0-9_-]+)`).exec(request.headers.cookie ?? '')?.[1];
      const { token, user, returnTo } = await signIn.end(query, presented).catch((error: unknown) => {
        context.metrics.signedIn('failed');
        throw error;
      });
      context.metrics.signedIn('done');
      noteInAudit({ username: user.username });
      void reply.header('set-cookie', cookie('', 0, context));
      if (returnTo.port === undefined) return page(reply, token);
      const url = new URL(`http://localhost:${returnTo.port}/`);
      url.searchParams.set('jwt', token);
      if (returnTo.state !== undefined) url.searchParams.set('state', returnTo.state);
      url.searchParams.set('username', user.username);
      return redirect(reply, url.href);
    },
  });
}

/** Throws `SIGN_IN_NOT_SET_UP`. */
function requireSignIn({ signIn }: ApiContext): SignIn {
  if (signIn !== undefined) return signIn;
  throw new ControlPlaneError('SIGN_IN_NOT_SET_UP', 'this deployment has no identity provider');
}

function cookie(value: string, maxAgeSeconds: number, { publicUrl }: ApiContext): string {
  const secure = publicUrl?.startsWith('https:') === true ? '; Secure' : '';
  return `${cookieName}=${value}; Path=${callback}; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure}`;
}

function redirect(reply: FastifyReply, url: string): FastifyReply {
  return reply.headers(pageHeaders).redirect(url, 302);
}

/** A token consists of letters, digits, dashes, underscores and dots: it needs no escaping. */
function page(reply: FastifyReply, token: string): FastifyReply {
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signed in</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 4em auto">
<h1>You are signed in</h1>
<p>Run this where the <code>turso</code> command is:</p>
<pre style="white-space: pre-wrap; word-break: break-all">turso config set token "${token}"</pre>
<p>Whoever has the token can do what you can. Close this page when you have it.</p>
</body>
</html>
`;
  return reply
    .headers(pageHeaders)
    .type('text/html; charset=utf-8')
    .serializer((text: string) => text)
    .send(html);
}
