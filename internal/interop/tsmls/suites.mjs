// The suites of the interop tests, by their ids. Those of RFC 9420 are as
// ts-mls has them. Its post-quantum ones follow an older draft, so two of
// draft-ietf-mls-pq-ciphersuites-06 are put together here: key pairs derive as
// in draft-ietf-hpke-pq, hash and KDF are SHA-384. They take the ids that
// Sconce gives them, and ts-mls reads ids from a table that it exports.

import * as mls from "ts-mls";
import { makeGenericHpke } from "ts-mls/crypto/implementation/hpke.js";
import { Aes256Gcm, CipherSuite, HkdfSha384 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { MlKem768 } from "@hpke/ml-kem";
import { shake256 } from "@noble/hashes/sha3.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { XWing as xwing } from "@noble/post-quantum/hybrid.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";

const postQuantum = {
  0xfa02: {
    name: "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
    kem: "X-Wing", make: () => new XWing(), kemID: 0x647a, seedLength: 32, keygen: (seed) => xwing.keygen(seed),
  },
  0xfa06: {
    name: "MLS_128_MLKEM768_AES256GCM_SHA384_Ed25519",
    kem: "ML-KEM-768", make: () => new MlKem768(), kemID: 0x0041, seedLength: 64, keygen: (seed) => ml_kem768.keygen(seed),
  },
};
for (const [id, suite] of Object.entries(postQuantum)) mls.ciphersuites[suite.name] = Number(id);

const classical = (id) => {
  const name = Object.keys(mls.ciphersuites).find((n) => mls.ciphersuites[n] === id);
  if (!name) throw new Error(`no suite ${id}`);
  return mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(name));
};

export async function implementation(id) {
  const suite = postQuantum[id];
  if (!suite) return classical(id);
  const [sha384, ed25519] = [await classical(7), await classical(1)];
  const hpke = new CipherSuite({ kem: suite.make(), kdf: new HkdfSha384(), aead: new Aes256Gcm() });
  const aead = {
    encrypt: (...a) => sha384.hpke.encryptAead(...a),
    decrypt: (...a) => sha384.hpke.decryptAead(...a),
  };
  const generic = await makeGenericHpke({ kem: suite.kem, kdf: "HKDF-SHA384", aead: "AES256GCM" }, aead, hpke);
  return {
    ...sha384,
    name: suite.name,
    signature: ed25519.signature,
    hpke: { ...sha384.hpke, ...generic, deriveKeyPair: (ikm) => deriveKeyPair(suite, hpke.kem, ikm) },
  };
}

// signatureKeys makes a key pair. ts-mls writes the points of ECDSA compressed,
// where RFC 9420, Section 5.1.1, has them uncompressed, and reads either.
export async function signatureKeys(id, impl) {
  const keys = await impl.signature.keygen();
  const curve = { 2: p256, 5: p521, 7: p384 }[id];
  return curve ? { ...keys, publicKey: curve.getPublicKey(keys.signKey, false) } : keys;
}

async function deriveKeyPair(suite, kem, ikm) {
  const seed = labeledDerive(suite.kemID, ikm, "DeriveKeyPair", suite.seedLength);
  const own = (b) => b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength);
  return {
    privateKey: await kem.deserializePrivateKey(own(seed)),
    publicKey: await kem.deserializePublicKey(own(suite.keygen(seed).publicKey)),
  };
}

// labeledDerive is LabeledDerive of draft-ietf-hpke-pq with SHAKE256 and an
// empty context.
function labeledDerive(kemID, ikm, label, length) {
  const u16 = (n) => [n >> 8, n & 0xff];
  const text = (s) => [...new TextEncoder().encode(s)];
  const input = [...ikm, ...text("HPKE-v1"), ...text("KEM"), ...u16(kemID), ...u16(label.length), ...text(label), ...u16(length)];
  return shake256(new Uint8Array(input), { dkLen: length });
}
