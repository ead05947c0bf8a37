// The other side of the interop tests: clients of npm ts-mls behind a pipe.
// Each line on stdin is a JSON request {call, who, …}; each line on stdout is
// its answer, {error} when the library refuses. Octets are hexadecimal, and
// messages are MLSMessages as they go over the wire.

import * as mls from "ts-mls";
import { createGroupInfo } from "ts-mls/createCommit.js";
import { createInterface } from "node:readline";
import { implementation, signatureKeys } from "./suites.mjs";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const octets = (text) => new Uint8Array(Buffer.from(text, "hex"));
const wire = (wireformat, field, value) => hex(mls.encodeMlsMessage({ version: "mls10", wireformat, [field]: value }));

function read(text) {
  const [message, end] = mls.decodeMlsMessage(octets(text), 0);
  if (end !== text.length / 2) throw new Error("octets are left over after the message");
  return message;
}

const clients = new Map();

const proposals = {
  add: (p) => ({ proposalType: "add", add: { keyPackage: read(p.keyPackage).keyPackage } }),
  remove: (p) => ({ proposalType: "remove", remove: { removed: p.leaf } }),
  psk: (p) => ({
    proposalType: "psk",
    psk: { preSharedKeyId: { psktype: "external", pskId: octets(p.id), pskNonce: octets(p.nonce) } },
  }),
};

const calls = {
  // client makes a client with one key package: who, suite, psks {id: key}.
  async client({ who, suite, psks = {} }) {
    const impl = await implementation(suite);
    const credential = { credentialType: "basic", identity: new TextEncoder().encode(who) };
    const keys = await signatureKeys(suite, impl);
    const kp = await mls.generateKeyPackageWithKey(credential, mls.defaultCapabilities(), mls.defaultLifetime, [], keys, impl);
    const known = new Map(Object.entries(psks).map(([id, key]) => [id, octets(key)]));
    const psk = { findPsk: (id) => (id.psktype === "external" ? known.get(hex(id.pskId)) : undefined) };
    clients.set(who, { impl, kp, psk });
    return { keyPackage: wire("mls_key_package", "keyPackage", kp.publicPackage) };
  },

  async create({ who, group }) {
    const c = client(who);
    c.state = await mls.createGroup(octets(group), c.kp.publicPackage, c.kp.privatePackage, [], c.impl);
    return {};
  },

  // commit commits what is pending and the given proposals, and goes on to the
  // new epoch at once.
  async commit({ who, list = [], encrypted = false }) {
    const c = client(who);
    const made = await mls.createCommit(
      { state: c.state, cipherSuite: c.impl, pskIndex: c.psk },
      { extraProposals: list.map((p) => proposals[p.type](p)), ratchetTreeExtension: true, wireAsPublicMessage: !encrypted },
    );
    c.state = made.newState;
    return {
      message: hex(mls.encodeMlsMessage(made.commit)),
      welcome: made.welcome && wire("mls_welcome", "welcome", made.welcome),
    };
  },

  async propose({ who, proposal, encrypted = false }) {
    const c = client(who);
    const made = await mls.createProposal(c.state, !encrypted, proposals[proposal.type](proposal), c.impl);
    c.state = made.newState;
    return { message: hex(mls.encodeMlsMessage(made.message)) };
  },

  async join({ who, welcome }) {
    const c = client(who);
    c.state = await mls.joinGroup(read(welcome).welcome, c.kp.publicPackage, c.kp.privatePackage, c.psk, c.impl);
    return {};
  },

  async joinExternal({ who, groupInfo }) {
    const c = client(who);
    const made = await mls.joinGroupExternal(bareExternalPub(read(groupInfo).groupInfo), c.kp.publicPackage, c.kp.privatePackage, false, c.impl);
    c.state = made.newState;
    return { message: wire("mls_public_message", "publicMessage", made.publicMessage) };
  },

  async process({ who, message }) {
    const c = client(who);
    const m = read(message);
    const done =
      m.wireformat === "mls_private_message"
        ? await mls.processPrivateMessage(c.state, m.privateMessage, c.psk, c.impl)
        : await mls.processPublicMessage(c.state, m.publicMessage, c.psk, c.impl);
    c.state = done.newState;
    return { data: done.message && hex(done.message) };
  },

  async encrypt({ who, data, authenticatedData }) {
    const c = client(who);
    const made = await mls.createApplicationMessage(c.state, octets(data), c.impl, octets(authenticatedData));
    c.state = made.newState;
    return { message: wire("mls_private_message", "privateMessage", made.privateMessage) };
  },

  async groupInfo({ who }) {
    const c = client(who);
    const { extensions } = await mls.createGroupInfoWithExternalPubAndRatchetTree(c.state, [], c.impl);
    const info = await createGroupInfo(c.state.groupContext, c.state.confirmationTag, c.state, extensions.map(framedExternalPub), c.impl);
    return { groupInfo: wire("mls_group_info", "groupInfo", info) };
  },

  // epoch gives what all members of an epoch must agree on.
  async epoch({ who, label, context, length }) {
    const { state, impl } = client(who);
    const { groupContext, keySchedule, privatePath } = state;
    const exported = await mls.mlsExporter(keySchedule.exporterSecret, label, octets(context), length, impl);
    return {
      epoch: Number(groupContext.epoch),
      leaf: privatePath.leafIndex,
      authenticator: hex(keySchedule.epochAuthenticator),
      treeHash: hex(groupContext.treeHash),
      transcript: hex(groupContext.confirmedTranscriptHash),
      exported: hex(exported),
    };
  },

  async forget({ who }) {
    clients.delete(who);
    return {};
  },
};

// ts-mls writes the key of external_pub as it is, where RFC 9420, Section
// 12.4.3.2, has a vector of it: what it writes is framed before it is signed.
function framedExternalPub(extension) {
  if (extension.extensionType !== "external_pub") return extension;
  const key = extension.extensionData;
  const header = key.length < 64 ? [key.length] : [0x40 | (key.length >> 8), key.length & 0xff];
  return { ...extension, extensionData: new Uint8Array([...header, ...key]) };
}

// What it reads is looked up with find, and signed as it stands in the list.
function bareExternalPub(info) {
  const list = info.extensions;
  list.find = (wanted) => {
    const e = Array.prototype.find.call(list, wanted);
    if (e?.extensionType !== "external_pub") return e;
    return { ...e, extensionData: e.extensionData.subarray(e.extensionData[0] < 64 ? 1 : 2) };
  };
  return info;
}

function client(who) {
  const c = clients.get(who);
  if (!c) throw new Error(`no client ${who}`);
  return c;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = await calls[request.call](request);
  } catch (e) {
    answer = { error: String(e?.stack ?? e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
