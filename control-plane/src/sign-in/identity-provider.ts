import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretPost,
  discovery,
  fetchUserInfo,
  type Configuration,
} from 'openid-client';
import { ControlPlaneError } from '../errors/catalogue.js';

export interface IdentityProviderSettings {
  /** The issuer's URL; below it lies `.well-known/openid-configuration`. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where the provider sends people back to: `<public URL>/sign-in/callback`. */
  readonly redirectUri: string;
}

/** What the provider says of a person. */
export interface Identity {
  /** Unique for ever: issuer and subject. */
  readonly subject: string;
  /** Empty unless the provider vouches for it. */
  readonly email: string;
  readonly name: string;
  /** What the person likes to be called; not unique. */
  readonly preferredUsername: string;
}

/** The customer's OpenID Connect provider. It is asked for its configuration when the first person signs in. */
export class IdentityProvider {
  #configuration: Promise<Configuration> | undefined;

  constructor(private readonly settings: IdentityProviderSettings) {}

  /** Where a person is sent to sign in. Throws `SIGN_IN_FAILED` while the provider does not answer. */
  async authorizationUrl(request: { state: string; nonce: string; verifier: string }): Promise<string> {
    const url = buildAuthorizationUrl(await this.#discovered(), {
      redirect_uri: this.settings.redirectUri,
      scope: 'openid email profile',
      state: request.state,
      nonce: request.nonce,
      code_challenge: await calculatePKCECodeChallenge(request.verifier),
      code_challenge_method: 'S256',
    });
    return url.href;
  }

  /** Redeems what the provider sent back. Throws `SIGN_IN_FAILED`. */
  async identityFrom(query: string, expected: { state: string; nonce: string; verifier: string }): Promise<Identity> {
    const configuration = await this.#discovered();
    const url = new URL(this.settings.redirectUri);
    url.search = query;
    try {
      const tokens = await authorizationCodeGrant(configuration, url, {
        pkceCodeVerifier: expected.verifier,
        expectedState: expected.state,
        expectedNonce: expected.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new ControlPlaneError('SIGN_IN_FAILED', 'the identity provider names nobody');
      const { iss, sub } = claims;
      // Some providers say who it is in the ID token, others only when they are asked.
      const asked =
        configuration.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await fetchUserInfo(configuration, tokens.access_token, sub);
      const said: Readonly<Record<string, unknown>> = { ...claims, ...asked };
      const { email, email_verified: isVerified, name, preferred_username: preferred } = said;
      return {
        subject: `${iss}#${sub}`,
        email: typeof email === 'string' && isVerified === true ? email.toLowerCase() : '',
        name: typeof name === 'string' ? name : '',
        preferredUsername: typeof preferred === 'string' ? preferred : typeof email === 'string' ? email : sub,
      };
    } catch (error) {
      if (error instanceof ControlPlaneError) throw error;
      throw new ControlPlaneError('SIGN_IN_FAILED', 'the identity provider did not confirm the sign-in', {
        cause: error,
      });
    }
  }

  async #discovered(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.settings;
    // Plain HTTP is for a provider on this machine only; the settings refuse any other.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so only to stand out
    const execute = issuer.startsWith('http:') ? [allowInsecureRequests] : [];
    this.#configuration ??= discovery(new URL(issuer), clientId, undefined, ClientSecretPost(clientSecret), {
      execute,
    });
    try {
      return await this.#configuration;
    } catch (error) {
      this.#configuration = undefined;
      throw new ControlPlaneError('SIGN_IN_FAILED', 'the identity provider does not answer', { cause: error });
    }
  }
}
