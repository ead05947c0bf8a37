import type { Root } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmAutolinkLiteralFromMarkdown } from "mdast-util-gfm-autolink-literal";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmAutolinkLiteral } from "micromark-extension-gfm-autolink-literal";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { most } from "./text";

const remembered = 400;

const trees = new Map<string, Root>();

/** Reads Markdown. What was read lately is remembered. */
export function parse(text: string): Root {
  let tree = trees.get(text);
  if (tree) return tree;
  tree = fromMarkdown(text, {
    extensions: [gfmStrikethrough({ singleTilde: false }), gfmAutolinkLiteral()],
    mdastExtensions: [gfmStrikethroughFromMarkdown(), gfmAutolinkLiteralFromMarkdown()],
  });
  if (text.length <= most) trees.set(text, tree);
  if (trees.size > remembered) trees.delete(trees.keys().next().value ?? "");
  return tree;
}

/** Forgets every text that was read: what burned or was locked away must not stay in here. */
export function forgetTexts(): void {
  trees.clear();
}
