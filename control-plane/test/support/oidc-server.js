/**
 * An OpenID Connect provider: oidc-provider with its development log-in form. People are called by what they type;
 * OIDC_REDIRECT_URI is where it sends them back to. Says its port when it listens.
 */
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'turso-byoc',
      client_secret: process.env.OIDC_CLIENT_SECRET,
      redirect_uris: [process.env.OIDC_REDIRECT_URI],
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
  findAccount: async (_context, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: !id.startsWith('unproved'),
      name: `${id} of Example`,
      preferred_username: id,
    }),
  }),
  features: { devInteractions: { enabled: true } },
});
server.on('request', provider.callback());
process.on('disconnect', () => process.exit(0));
process.send({ port });
