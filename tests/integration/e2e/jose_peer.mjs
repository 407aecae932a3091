// An independent JOSE implementation (npm jose) as a filter: a JSON list of jobs on stdin, a list of answers on stdout.
// JOSE_PACKAGES: the folder whose node_modules hold jose.
//   {"verify": compact, "x": public key}  -> {"ok": true, "header", "payload"} or {"ok": false, "why"}
//   {"seal": {payload}, "typ", "deflate", "jwk": private JWK, "kid"} -> {"ok": true, "compact"}
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { readFileSync } from 'node:fs';

const { CompactSign, compactVerify, importJWK } = createRequire(pathToFileURL(`${process.env.JOSE_PACKAGES}/`))('jose');

async function verify({ verify: compact, x }) {
  const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x }, 'EdDSA');
  const { payload, protectedHeader } = await compactVerify(compact, key, { algorithms: ['EdDSA'] });
  const bytes = protectedHeader.zip === 'DEF' ? inflateRawSync(payload) : payload;
  return { ok: true, header: protectedHeader, payload: JSON.parse(Buffer.from(bytes).toString('utf8')) };
}

async function seal({ seal: document, typ, deflate, jwk, kid }) {
  const key = await importJWK(jwk, 'EdDSA');
  const plain = Buffer.from(JSON.stringify(document));
  const header = { alg: 'EdDSA', kid, typ, ...(deflate ? { zip: 'DEF' } : {}) };
  const compact = await new CompactSign(deflate ? deflateRawSync(plain) : plain).setProtectedHeader(header).sign(key);
  return { ok: true, compact };
}

const answers = [];
for (const job of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    answers.push(await ('verify' in job ? verify(job) : seal(job)));
  } catch (error) {
    answers.push({ ok: false, why: String(error) });
  }
}
process.stdout.write(JSON.stringify(answers));
