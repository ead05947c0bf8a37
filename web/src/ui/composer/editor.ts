import { createEmptyHistoryState, registerHistory } from "@lexical/history";
import { CodeNode } from "@lexical/code-core";
import { LinkNode } from "@lexical/link";
import { ListItemNode, ListNode, registerList } from "@lexical/list";
import {
  $convertFromMarkdownString, $convertToMarkdownString, BOLD_ITALIC_STAR, BOLD_STAR, BOLD_UNDERSCORE, CODE, INLINE_CODE, ITALIC_STAR,
  ITALIC_UNDERSCORE, ORDERED_LIST, QUOTE, registerMarkdownShortcuts, STRIKETHROUGH, UNORDERED_LIST, type TextMatchTransformer, type Transformer,
} from "@lexical/markdown";
import { QuoteNode, registerRichText } from "@lexical/rich-text";
import {
  $createTextNode, $getRoot, $getSelection, $isRangeSelection, $isTextNode, $setSelection, CLEAR_HISTORY_COMMAND, COMMAND_PRIORITY_CRITICAL, COMMAND_PRIORITY_HIGH,
  createEditor, DROP_COMMAND, FORMAT_TEXT_COMMAND, INSERT_LINE_BREAK_COMMAND, KEY_DOWN_COMMAND, mergeRegister, PASTE_COMMAND, TextNode, type LexicalEditor, type SerializedTextNode, type Spread,
} from "lexical";

/** What is being typed that a list of choices could complete. */
export interface Query {
  kind: "mention" | "emoji";
  text: string;
  /** How many letters a choice replaces. */
  length: number;
}

export interface Ears {
  changed(): void;
  query(query: Query | undefined): void;
  /** Says whether the key was taken. */
  key(event: KeyboardEvent): boolean;
}

/** A text field that shows Markdown as it is typed, and gives it back as Markdown. */
export interface Editor {
  read(): string;
  empty(): boolean;
  write(markdown: string): void;
  focus(): void;
  /** Puts text where the caret is, in place of so many letters before it. */
  insert(text: string, replace?: number): void;
  /** Puts a mention there: `path` is what a MIMI URI of the network goes on with, "u/" and a person or "r/" and a room. */
  mention(path: string, name: string, replace: number): void;
  lineBreak(): void;
  editable(on: boolean): void;
  close(): void;
}

class MentionNode extends TextNode {
  __path: string;

  constructor(path: string, text: string, key?: string) {
    super(text, key);
    this.__path = path;
  }

  static override getType(): string {
    return "mention";
  }

  static override clone(node: MentionNode): MentionNode {
    return new MentionNode(node.__path, node.__text, node.__key);
  }

  static override importJSON(from: Spread<{ path: string }, SerializedTextNode>): MentionNode {
    return new MentionNode(from.path, from.text).setMode("token");
  }

  override exportJSON(): Spread<{ path: string }, SerializedTextNode> {
    return { ...super.exportJSON(), path: this.__path };
  }

  override createDOM(...args: Parameters<TextNode["createDOM"]>): HTMLElement {
    const element = super.createDOM(...args);
    element.className = "mention";
    return element;
  }

  override canInsertTextBefore(): boolean {
    return false;
  }

  override canInsertTextAfter(): boolean {
    return false;
  }
}

export function makeEditor(root: HTMLElement, network: string, ears: Ears): Editor {
  const mention: TextMatchTransformer = {
    dependencies: [MentionNode],
    export: (node) => (node instanceof MentionNode ? `[${node.getTextContent().replace(/[[\]\\]/g, "\\$&")}](mimi://${network}/${node.__path})` : null),
    importRegExp: /\[(@[^\]\n]{1,130})\]\(mimi:\/\/[^/)\s]+\/([ur]\/[^)\s/]+)\)/,
    regExp: /\[(@[^\]\n]{1,130})\]\(mimi:\/\/[^/)\s]+\/([ur]\/[^)\s/]+)\)$/,
    replace: (node, match) => {
      node.replace(new MentionNode(match[2] ?? "", match[1] ?? "").setMode("token"));
    },
    trigger: ")",
    type: "text-match",
  };
  const marks: Transformer[] = [
    QUOTE, UNORDERED_LIST, ORDERED_LIST, CODE, INLINE_CODE, BOLD_ITALIC_STAR, BOLD_STAR, BOLD_UNDERSCORE, ITALIC_STAR, ITALIC_UNDERSCORE, STRIKETHROUGH, mention,
  ];
  const editor: LexicalEditor = createEditor({
    namespace: "sconce",
    nodes: [CodeNode, LinkNode, ListNode, ListItemNode, QuoteNode, MentionNode],
    theme: {
      text: { bold: "e-bold", italic: "e-italic", strikethrough: "e-strike", code: "e-code" },
      quote: "e-quote", code: "e-block", list: { ul: "e-list", ol: "e-list", listitem: "e-item" },
    },
    onError: (error) => {
      throw error;
    },
  });
  editor.setRootElement(root);

  const unregister = mergeRegister(
    registerRichText(editor),
    registerList(editor),
    registerHistory(editor, createEmptyHistoryState(), 400),
    registerMarkdownShortcuts(editor, marks),
    editor.registerCommand(KEY_DOWN_COMMAND, (event) => {
      if (event.isComposing) return false;
      if (ears.key(event)) {
        event.preventDefault();
        return true;
      }
      return formats(editor, event);
    }, COMMAND_PRIORITY_CRITICAL),
    // Markdown has no underlining.
    editor.registerCommand(FORMAT_TEXT_COMMAND, (format) => format === "underline", COMMAND_PRIORITY_HIGH),
    // What is pasted comes as plain text: its marks mean the same here as typed ones, and nothing is read as HTML.
    editor.registerCommand(PASTE_COMMAND, (event) => {
      const text = "clipboardData" in event ? event.clipboardData?.getData("text/plain") : undefined;
      event.preventDefault();
      const selection = $getSelection();
      if (text && $isRangeSelection(selection)) selection.insertRawText(text);
      return true;
    }, COMMAND_PRIORITY_CRITICAL),
    editor.registerCommand(DROP_COMMAND, (event) => {
      event.preventDefault();
      return true;
    }, COMMAND_PRIORITY_CRITICAL),
    editor.registerUpdateListener(({ editorState, dirtyElements, dirtyLeaves }) => {
      ears.query(editorState.read(query));
      if (dirtyElements.size > 0 || dirtyLeaves.size > 0) ears.changed();
    }),
  );

  // What was written while the focus was elsewhere has no caret yet: the browser would put it before the first letter.
  let untouched = false;
  const touched = () => (untouched = false);
  root.addEventListener("focus", touched);

  const read = () => editor.getEditorState().read(() => whole($convertToMarkdownString(marks, undefined, true)));
  return {
    read,
    empty: () => editor.getEditorState().read(() => $getRoot().getTextContent().trim() === ""),
    write: (markdown) => {
      editor.update(() => {
        $convertFromMarkdownString(markdown, marks, undefined, true);
        if (document.activeElement === root) {
          $getRoot().selectEnd();
        } else {
          $setSelection(null); // a caret would bring the focus with it
          untouched = true;
        }
      }, { discrete: true, tag: "history-merge" });
      editor.dispatchCommand(CLEAR_HISTORY_COMMAND, undefined);
    },
    focus: () => {
      const end = untouched;
      root.focus({ preventScroll: true });
      editor.update(() => {
        if (end || !$isRangeSelection($getSelection())) $getRoot().selectEnd();
      });
    },
    insert: (text, replace = 0) => {
      editor.update(() => {
        const selection = cleared(replace);
        selection?.insertText(text);
      });
    },
    mention: (path, name, replace) => {
      editor.update(() => {
        const selection = cleared(replace);
        selection?.insertNodes([new MentionNode(path, `@${name}`).setMode("token"), $createTextNode(" ")]);
      });
    },
    lineBreak: () => editor.dispatchCommand(INSERT_LINE_BREAK_COMMAND, false),
    editable: (on) => editor.setEditable(on),
    close: () => {
      root.removeEventListener("focus", touched);
      unregister();
      editor.setRootElement(null);
    },
  };
}

/** The caret, after so many letters before it were taken out. */
function cleared(letters: number) {
  const root = $getRoot();
  const selection = $getSelection() ?? root.selectEnd();
  if (!$isRangeSelection(selection)) return undefined;
  const node = selection.anchor.getNode();
  if (letters > 0 && $isTextNode(node)) {
    const at = selection.anchor.offset;
    node.select(Math.max(0, at - letters), at);
    const now = $getSelection();
    if ($isRangeSelection(now)) {
      now.removeText();
      return now;
    }
  }
  return selection;
}

function query(): Query | undefined {
  const selection = $getSelection();
  if (!$isRangeSelection(selection) || !selection.isCollapsed()) return undefined;
  const node = selection.anchor.getNode();
  if (!$isTextNode(node) || node instanceof MentionNode || node.hasFormat("code")) return undefined;
  const before = node.getTextContent().slice(0, selection.anchor.offset);
  const person = /(?:^|[\s(])@([\p{L}\p{M}\p{N}'._-]{0,30}(?: [\p{L}\p{M}\p{N}'._-]{1,30})?)$/u.exec(before);
  if (person) return { kind: "mention", text: person[1] ?? "", length: (person[1] ?? "").length + 1 };
  const face = /(?:^|[\s(]):([a-z0-9_+-]{2,30})$/i.exec(before);
  return face ? { kind: "emoji", text: face[1] ?? "", length: (face[1] ?? "").length + 1 } : undefined;
}

/** Formats beyond those that browsers know keys for. */
function formats(editor: LexicalEditor, event: KeyboardEvent): boolean {
  const mod = /Mac|iPhone|iPad/.test(navigator.platform) ? event.metaKey : event.ctrlKey;
  const key = event.key.toLowerCase();
  if (!mod || event.altKey) return false;
  if (key === "e" && !event.shiftKey) editor.dispatchCommand(FORMAT_TEXT_COMMAND, "code");
  else if (key === "x" && event.shiftKey) editor.dispatchCommand(FORMAT_TEXT_COMMAND, "strikethrough");
  else return false;
  event.preventDefault();
  return true;
}

/** Marks inside of an address are part of the address. */
function whole(markdown: string): string {
  return markdown.replace(/https?:\/\/[^\s<>]+/g, (url) => url.replace(/\\([*_~`])/g, "$1")).trim();
}
