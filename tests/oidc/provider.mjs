// An OpenID provider for scripts/oidc.sh: `oidc-provider` on loopback, with users who log in by being named, a client that is the service's
// and one that is not, and a way to rotate keys and to sign what a provider never would.
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { SignJWT, exportJWK, importJWK } from 'jose';
import Provider, { interactionPolicy } from 'oidc-provider';

const [port, redirectUri, secret] = [Number(process.env.PORT), process.env.REDIRECT_URI, process.env.CLIENT_SECRET];
const issuer = `http://127.0.0.1:${port}`;
const audience = 'ict-index-api';

async function newKeys() {
  const made = [['RS256', 'rsa', { modulusLength: 2048 }], ['PS256', 'rsa', { modulusLength: 2048 }], ['ES256', 'ec', { namedCurve: 'P-256' }]];
  return Promise.all(made.map(async ([alg, type, options]) => {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: randomUUID() };
  }));
}

const client = (client_id, alg) => ({
  client_id, client_secret: secret, redirect_uris: [redirectUri], grant_types: ['authorization_code'], response_types: ['code'],
  id_token_signed_response_alg: alg, token_endpoint_auth_method: 'client_secret_basic',
});

function provider(keys) {
  const policy = interactionPolicy.base();
  policy.remove('consent');
  const made = new Provider(issuer, {
    jwks: { keys },
    clients: [client('ict-index', 'ES256'), client('other', 'RS256')],
    cookies: { keys: [randomUUID()] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // A user who has logged in needs nothing more.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid');
      grant.addResourceScope(audience, 'openid');
      grant.addResourceScope('another-api', 'openid');
      await grant.save();
      return grant;
    },
    extraTokenClaims: (ctx) => ({ amr: ctx.oidc.entities.AuthorizationCode?.amr ?? [] }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'openid', audience: resource.replace('urn:', ''), accessTokenTTL: 300, accessTokenFormat: 'jwt',
          jwt: { sign: { alg: process.env.ACCESS_TOKEN_ALG || 'RS256' } },
        }),
      },
    },
    interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
    claims: { openid: ['sub', 'amr'], acr: null, auth_time: null },
    ttl: { AccessToken: 300, IdToken: 300, Session: 300, Grant: 300, Interaction: 300, AuthorizationCode: 60 },
  });
  return { made, handle: made.callback() };
}

let keys = await newKeys();
let current = provider(keys);

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString() || '{}');
}

// {alg, kid?, claims}: signed with the provider's own key, with a stranger's (key: "stranger"), with the public key as a shared secret, or not at all.
async function mint({ alg, kid, key, claims, typ }) {
  const now = Math.floor(Date.now() / 1000);
  const whole = { iss: issuer, aud: audience, azp: 'ict-index', sub: 'an.nguyen', iat: now, exp: now + 300, amr: ['pwd', 'mfa'], ...claims };
  const own = keys.find((one) => one.alg === alg) ?? keys[0];
  const header = { alg, kid: kid ?? own.kid, typ: typ ?? 'at+jwt' };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  if (alg === 'none') return `${part(header)}.${part(whole)}.`;
  if (alg === 'HS256') {
    const pem = createPublicKey({ key: own, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const text = `${part(header)}.${part(whole)}`;
    return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
  }
  const signer = key === 'stranger' ? (await newKeys()).find((one) => one.alg === alg) : own;
  return new SignJWT(whole).setProtectedHeader(header).sign(await importJWK(signer, alg));
}

createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname.startsWith('/interaction/')) {
      // The walk names the user; `+mfa` behind the name says that a second factor was shown.
      const [accountId, mfa] = (request.headers['x-login'] ?? 'nobody').split('+');
      const login = { accountId, amr: mfa ? ['pwd', 'mfa'] : ['pwd'] };
      return await current.made.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
    }
    if (url.pathname === '/test/rotate') {
      keys = await newKeys();
      current = provider(keys);
      return response.end('{}');
    }
    if (url.pathname === '/test/mint') return response.end(await mint(await body(request)));
    return current.handle(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    return response.end(String(error));
  }
}).listen(port, '127.0.0.1', () => console.error(`provider on ${issuer}`));
