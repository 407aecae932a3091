"""Documents sealed and opened per second by our code, beside two that share none of it: python3-cryptography, npm's jose."""

import json
import os
import shutil
import time

from common import TOP, Keeper, Line

import jose

NAME, MINUTES = "seals", 1


def playlist(items):
    now_ms = int(time.time() * 1000)
    bulletin = "ab" * 32
    listed = [{"id": f"r-{k}.{now_ms // 1000 + k * 2160}", "bulletin": 0, "start_ms": now_ms + k * 2160000, "end_ms":
               now_ms + k * 2160000 + 122000, "class": "normal", "policy": "drop", "late_ms": 60000, "wait_ms": 0, "gain_mb": 0,
               "show_ms": 0, "zones": []} for k in range(items)]
    return {**jose.head("dev/ls-1"), "config_ver": 1, "from_ms": now_ms, "until_ms": now_ms + 86400000 * 7,
            "bulletins": [{"hash": bulletin, "size": 500, "approvals": [{"hash": "cd" * 32, "size": 700}]}], "items": listed}


def per_second(what, seconds):
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        what()
        done += 1
    return done / (time.perf_counter() - began)


NODE = """
import * as jose from 'jose';
const [payload, seconds] = [await new Promise(r => { let s = ''; process.stdin.on('data', d => s += d).on('end', () => r(s)); }), %f];
const { publicKey, privateKey } = await jose.generateKeyPair('EdDSA');
const bytes = new TextEncoder().encode(payload);
async function speed(fn) {
  const began = performance.now(); let n = 0;
  while (performance.now() - began < seconds * 1000) { await fn(); n++; }
  return n * 1000 / (performance.now() - began);
}
const seal = () => new jose.CompactSign(bytes).setProtectedHeader({ alg: 'EdDSA', typ: 'loa-playlist', kid: 'k' }).sign(privateKey);
const compact = await seal();
const out = { seal: await speed(seal), open: await speed(() => jose.compactVerify(compact, publicKey)) };
console.log(JSON.stringify(out));
"""


def node_modules(bench, keeper):
    """npm's jose as the tests have it: theirs where it is there already, else brought by the same locked list."""
    places = [os.environ.get("JOSE_PACKAGES"), os.path.join(bench.build, "tests", "integration", "jose"),
              os.path.join(bench.build, "tools", "figures", "jose")]
    for place in filter(None, places):
        if os.path.isdir(os.path.join(place, "node_modules", "jose")):
            return os.path.join(place, "node_modules")
    os.makedirs(places[-1], exist_ok=True)
    for file in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(TOP, "tests", "integration", "jose", file), places[-1])
    keeper.run(["npm", "ci", "--no-progress"], "npm ci", seconds=120, cwd=places[-1])
    return os.path.join(places[-1], "node_modules")


def npm_jose(bench, keeper, payload, seconds):
    with bench.folder() as folder:
        os.symlink(node_modules(bench, keeper), os.path.join(folder, "node_modules"))
        script = os.path.join(folder, "peer.mjs")
        with open(script, "w") as file:
            file.write(NODE % seconds)
        _, out, _ = keeper.run(["node", script], "npm jose", stdin=payload, cwd=folder)
    return json.loads(out)


def measure(bench):
    seconds, lines = bench.few(2, 0.5), []
    key = jose.Key()
    with Keeper() as keeper:
        for items in (1, 40):
            doc = playlist(items)
            payload = json.dumps(doc, ensure_ascii=False, separators=(",", ":"))
            _, out, _ = keeper.run([bench.exe("tools/figures/seal_speed"), "loa-playlist", seconds], "seal_speed", stdin=payload)
            ours = json.loads(out)
            compact = key.seal("loa-playlist", doc)
            python = {"seal": per_second(lambda d=doc: key.seal("loa-playlist", d), seconds),
                      "open": per_second(lambda c=compact: jose.verify(c, key.x), seconds)}
            node = npm_jose(bench, keeper, payload, seconds)
            for what in ("seal", "open"):
                peers = (f"python3-cryptography {python[what]:,.0f}/s (x {ours[what] / python[what]:.1f}), "
                         f"npm jose {node[what]:,.0f}/s (x {ours[what] / node[what]:.1f})")
                lines.append(Line(f"{what} a document of {ours['payload_bytes']} bytes",
                                  f"{ours[what]:,.0f}/s; with {'encoding' if what == 'seal' else 'decoding'} {ours[what + '_doc']:,.0f}/s",
                                  "", peers, None, {"ours": ours, "python": python, "npm_jose": node}))
    return lines
