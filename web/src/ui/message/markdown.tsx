import type { Nodes, Parent } from "mdast";
import { createContext, Fragment, memo, useContext, useMemo, useState, type ReactNode } from "react";
import type { MentionView } from "../../core/bridge";
import { useText } from "../../i18n";
import { useApp, useDesk } from "../context";
import { everyoneIn, mentioned, most, mostEver, onlyEmoji, safeLink, tame, tameName } from "./text";
import { parse } from "./tree";

const deepest = 12;
interface Named {
  people?: readonly MentionView[];
  /** The room whose people are named all at once, where its writer may do that. */
  all?: string;
}

const nobody: Named = {};
const Mentions = createContext(nobody);

/** A message's text as its writer marked it up. Made of elements, never of HTML: what is no Markdown is shown as letters. */
export const Markdown = memo(function Markdown({ text, mentions, everyone }: { text: string; mentions?: readonly MentionView[]; everyone?: string }) {
  const t = useText();
  const [all, setAll] = useState(false);
  const named = useMemo(() => ({ people: mentions, all: everyone }), [mentions, everyone]);
  const tamed = tame(text.slice(0, mostEver));
  const shown = all ? tamed : tamed.slice(0, most);
  if (onlyEmoji(shown)) return <div className="text text-emoji" dir="auto">{shown}</div>;
  return (
    <div className="text" dir="auto">
      {all && shown.length > most ? <p>{shown}</p> : <Mentions value={named}>{children(parse(shown), 0)}</Mentions>}
      {tamed.length > shown.length && (
        <button type="button" className="text-more" onClick={() => setAll(true)}>{t("message.all", { n: Math.ceil(text.length / 1024) })}</button>
      )}
    </div>
  );
});

function children(node: Parent, depth: number): ReactNode[] {
  return node.children.map((c, i) => <Fragment key={i}>{draw(c, depth + 1)}</Fragment>);
}

function draw(node: Nodes, depth: number): ReactNode {
  if (depth > deepest) return "children" in node ? letters(node) : "value" in node ? node.value : null;
  switch (node.type) {
    case "text":
    case "html":
      return node.value;
    case "paragraph":
      return <p dir="auto">{children(node, depth)}</p>;
    case "emphasis":
      return <em>{children(node, depth)}</em>;
    case "strong":
      return <strong>{children(node, depth)}</strong>;
    case "delete":
      return <del>{children(node, depth)}</del>;
    case "inlineCode":
      return <code dir="ltr">{node.value}</code>;
    case "code":
      return <pre dir="ltr" tabIndex={0}><code>{node.value}</code></pre>;
    case "blockquote":
      return <blockquote>{children(node, depth)}</blockquote>;
    case "list":
      return node.ordered ? <ol start={node.start ?? 1}>{children(node, depth)}</ol> : <ul>{children(node, depth)}</ul>;
    case "listItem":
      return <li dir="auto">{children(node, depth)}</li>;
    case "heading":
      return <p className="text-heading" dir="auto">{children(node, depth)}</p>;
    case "thematicBreak":
      return <hr />;
    case "break":
      return <br />;
    case "link":
      return <Link url={node.url}>{letters(node)}</Link>;
    case "image":
      // Nothing is fetched from elsewhere: a picture is where it leads.
      return <Link url={node.url}>{node.alt || node.url}</Link>;
    case "linkReference":
      return <>[{children(node, depth)}]</>;
    case "imageReference":
      return node.alt ?? null;
    default:
      return null;
  }
}

function letters(node: Parent): string {
  return node.children.map((c) => ("value" in c ? c.value : "children" in c ? letters(c) : "")).join("");
}

function Link({ url, children }: { url: string; children: string }) {
  const desk = useDesk();
  const me = useApp((s) => s.me?.user);
  const t = useText();
  const { people, all } = useContext(Mentions);
  if (all && everyoneIn(url) === all) return <span className="mention mention-me"><bdi>@{t("mention.all")}</bdi></span>;
  const user = mentioned(url);
  // The name is the one that this device knows, and not what the sender wrote in its place.
  const known = user && people?.find((p) => p.user === user);
  if (user && people && !known) return <>{children}</>;
  if (user) {
    return (
      <button type="button" className={user === me ? "mention mention-me" : "mention"} onClick={() => desk.person(user)}>
        <bdi>{known ? `@${tameName(known.name)}` : children}</bdi>
      </button>
    );
  }
  const safe = safeLink(url);
  if (!safe) return <>{children}</>;
  return (
    <a href={safe.href} rel="noopener noreferrer nofollow" target="_blank" onClick={(e) => {
      e.preventDefault();
      desk.follow(safe.href, children);
    }}><bdi>{children}</bdi></a>
  );
}
