// Loaded before ts-mls 1.6.4 (node --import): mends what would end a long
// history with it early, in the text of its modules as they are read. Each mend
// must find its place, so that another version is looked at again.

import { register } from "node:module";

const mends = {
  // RFC 9420, Section 12.4.3.1: an unmerged leaf of a parent is unmerged at
  // every parent between the two. ts-mls wants the whole lists to be equal, and
  // at the parents above too: it refuses trees that are valid.
  "/clientState.js": [
    "!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves)",
    "dp.indexOf(parentIdx) < dp.indexOf(i) && !dpNode.parent.unmergedLeaves.includes(unmergedLeaf)",
  ],
  // RFC 9420, Section 7.1: unmerged leaves are in increasing order, also when
  // the leaf that was added lies left of others.
  "/ratchetTree.js": [
    "[...parentNode.parent.unmergedLeaves, insertedLeafIndex]",
    "[...parentNode.parent.unmergedLeaves, insertedLeafIndex].sort((a, b) => a - b)",
  ],
};

export async function load(url, context, next) {
  const loaded = await next(url, context);
  const file = Object.keys(mends).find((f) => url.endsWith(`/ts-mls/dist/src${f}`));
  if (!file) return loaded;
  const [wrong, right] = mends[file];
  const source = loaded.source.toString();
  if (source.split(wrong).length !== 2) throw new Error(`nothing to mend in ${url}`);
  return { ...loaded, source: source.replace(wrong, right) };
}

// The same file is the hook itself, on a thread of its own.
if (!process.env.SCONCE_MENDED) {
  process.env.SCONCE_MENDED = "yes";
  register(import.meta.url);
}
