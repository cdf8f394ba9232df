// Core tokens as the cloud's sign-in service issues them (protocol 1.1).
import { createHmac } from 'node:crypto';

const hashes = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');

/**
 * Signs any claims with any of the algorithms, also with those that must be refused.
 * @alg: HS256, HS384, HS512, or none (no signature).
 */
export function signJwt(claims, secret, { alg = 'HS256', header = {} } = {}) {
  const body = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`;

  if (!hashes[alg]) return `${body}.`;
  return `${body}.${createHmac(hashes[alg], secret).update(body).digest('base64url')}`;
}

/** The claims that are issued; only `email` is used by the cloud. */
export function coreToken(email, secret, { claims = {}, ...options } = {}) {
  const issued = {
    sub: `sub-of-${email}`,
    email,
    organizations: [],
    defaultOrg: null,
    iat: Math.floor(Date.now() / 1000),
    ...claims,
  };

  return signJwt(issued, secret, options);
}
