// Our sealed documents against npm's jose: what we seal verifies there, what is sealed there opens here.
// SEAL_TOOL: the seal_tool of this build. WIRE_MD: path of WIRE.md, whose examples are the documents.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { deflateRawSync, deflateSync, inflateRawSync } from 'node:zlib';
import { calculateJwkThumbprint, CompactSign, compactVerify, decodeProtectedHeader, exportJWK, generateKeyPair,
         importJWK } from 'jose';

const tool = process.env.SEAL_TOOL;
const wire = readFileSync(process.env.WIRE_MD, 'utf8');
const types = ['trust', 'keys', 'config', 'playlist', 'welcome', 'command', 'state', 'receipt', 'event', 'reply',
               'health', 'approval'].map((word) => `loa-${word}`);
const text = (s) => new TextEncoder().encode(s);

function example(typ) {
  const found = wire.match(new RegExp('```json ' + typ + '\\n([^]*?)\\n```'));
  assert.ok(found, `WIRE.md has no example of ${typ}`);
  return JSON.parse(found[1]);
}

function run(args, input) {
  const done = spawnSync(tool, args, { input, encoding: 'utf8', timeout: 20000 });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

let dir, keyFile, ours, oursPublic, theirs, theirsX, theirsKid;

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'loa-jose-'));
  keyFile = path.join(dir, 'ours.jwk');
  const made = run(['key', keyFile]);
  assert.equal(made.status, 0, made.err);
  ours = JSON.parse(readFileSync(keyFile, 'utf8'));
  assert.equal(made.out.trim(), ours.x);
  const { d, ...rest } = ours;
  oursPublic = await importJWK(rest, 'EdDSA');
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(pair.privateKey);
  theirs = pair.privateKey;
  theirsX = jwk.x;
  theirsKid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: jwk.x });
  writeFileSync(path.join(dir, 'theirs.jwk'), JSON.stringify({ ...jwk, kid: theirsKid }), { mode: 0o600 });
});

after(() => rmSync(dir, { recursive: true, force: true }));

const sign = (header, bytes) => new CompactSign(bytes).setProtectedHeader(header).sign(theirs);

test('our thumbprint is that of RFC 7638', async () => {
  assert.equal(ours.kid, await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: ours.x }));
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
});

for (const typ of types) {
  for (const deflate of [false, true]) {
    const how = deflate ? 'deflated' : 'plain';
    test(`${typ}, ${how}: sealed here, verified by jose`, async () => {
      const sealed = run(['seal', keyFile, typ, ...(deflate ? ['DEF'] : [])], JSON.stringify(example(typ)));
      assert.equal(sealed.status, 0, sealed.err);
      const { payload, protectedHeader } = await compactVerify(sealed.out, oursPublic, { algorithms: ['EdDSA'] });
      const expected = { alg: 'EdDSA', kid: ours.kid, typ, ...(deflate ? { zip: 'DEF' } : {}) };
      assert.deepEqual(protectedHeader, expected);
      const bytes = deflate ? inflateRawSync(payload) : payload;
      assert.deepEqual(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), example(typ));
    });

    test(`${typ}, ${how}: sealed by jose, accepted here`, async () => {
      const bytes = text(JSON.stringify(example(typ)));
      const header = { alg: 'EdDSA', kid: theirsKid, typ, ...(deflate ? { zip: 'DEF' } : {}) };
      const opened = run(['open', theirsX], await sign(header, deflate ? deflateRawSync(bytes) : bytes));
      assert.equal(opened.status, 0, opened.err);
      assert.deepEqual(JSON.parse(opened.out), { typ, kid: theirsKid, deflated: deflate, payload: example(typ) });
    });
  }
}

test('a key file made with jose seals here', async () => {
  const sealed = run(['seal', path.join(dir, 'theirs.jwk'), 'loa-event'], JSON.stringify(example('loa-event')));
  assert.equal(sealed.status, 0, sealed.err);
  await compactVerify(sealed.out, await importJWK({ kty: 'OKP', crv: 'Ed25519', x: theirsX }, 'EdDSA'));
  assert.equal(decodeProtectedHeader(sealed.out).kid, theirsKid);
});

test('what is touched or strange is refused by its name', async () => {
  const bytes = text(JSON.stringify(example('loa-reply')));
  const header = { alg: 'EdDSA', kid: theirsKid, typ: 'loa-reply' };
  const good = await sign(header, bytes);
  assert.equal(run(['open', theirsX], good).status, 0);
  const at = good.indexOf('.') + 20;
  const bent = good.slice(0, at) + (good[at] === 'A' ? 'B' : 'A') + good.slice(at + 1);
  const secret = new Uint8Array(32).fill(7);
  const cases = [
    ['signature', bent],
    ['signature', good, ours.x],
    ['alg', await new CompactSign(bytes).setProtectedHeader({ ...header, alg: 'HS256' }).sign(secret)],
    ['alg', Buffer.from('{"alg":"none"}').toString('base64url') + '.e30.' + good.split('.')[2]],
    ['alg', await new CompactSign(bytes).setProtectedHeader({ ...header, alg: 'ES256' })
      .sign((await generateKeyPair('ES256')).privateKey)],
    ['type', await sign({ ...header, typ: 'loa-order' }, bytes)],
    ['format', await sign({ ...header, kid: 'x' }, bytes)],
    ['format', await sign({ ...header, zip: 'DEF' }, bytes)],
    ['format', await sign({ ...header, zip: 'DEF' }, deflateSync(bytes))],
    ['too_large', await sign({ ...header, zip: 'DEF' }, deflateRawSync(Buffer.alloc(30 * 1024 * 1024)))],
    ['format', await sign(header, text('{"aud":"controller"}'))],
    ['format', `${good}.`],
    ['format', `${good}=`],
  ];
  for (const [refusal, compact, x] of cases) {
    const opened = run(['open', x ?? theirsX], compact);
    assert.equal(opened.status, 1, `${refusal}: ${opened.out}`);
    assert.equal(opened.err.split(' ')[0], refusal);
  }
});
