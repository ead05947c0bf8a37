import { useState } from "react";
import { useText, type TextId } from "../../i18n";
import { Dialog, SearchField } from "../kit";
import { keyNames } from "../keys";
import "./shortcuts.css";

const table: [TextId, [string, TextId][]][] = [
  ["keys.everywhere", [
    ["Mod+K", "keys.switch"], ["Mod+/", "keys.help"], ["Mod+,", "settings.title"], ["C", "new.title"],
    ["Mod+F", "search.title"], ["Mod+Shift+F", "search.room"], ["Mod+Shift+D", "keys.list"], ["Mod+.", "keys.details"], ["F6", "keys.landmarks"],
  ]],
  ["keys.rooms", [
    ["Alt+Up", "keys.previous"], ["Alt+Down", "keys.next"], ["Alt+Shift+Up", "keys.previousUnread"], ["Alt+Shift+Down", "keys.nextUnread"],
    ["Alt+1…9", "keys.nth"], ["Mod+J", "keys.newest"], ["Esc", "keys.escape"],
  ]],
  ["keys.message", [
    ["R", "reply"], ["E", "edit"], ["C", "copy"], ["I", "message.details"], ["Delete", "delete"], ["Up", "keys.up"], ["Down", "keys.down"],
  ]],
  ["keys.writing", [
    ["Enter", "keys.send"], ["Shift+Enter", "keys.line"], ["Up", "keys.editLast"], ["Mod+B", "keys.bold"], ["Mod+I", "keys.italic"],
    ["Mod+E", "keys.code"], ["Mod+Shift+X", "keys.strike"], ["Mod+Shift+J", "composer.face"], ["@", "keys.mention"], [":", "keys.emoji"],
  ]],
];

/** Every key that does something, to be looked through. */
export function Shortcuts({ close }: { close: () => void }) {
  const t = useText();
  const [query, setQuery] = useState("");
  const fits = (name: string) => name.toLowerCase().includes(query.toLowerCase());
  return (
    <Dialog open close={close} title={t("keys.title")} wide>
      <SearchField label={t("keys.search")} value={query} onChange={(e) => setQuery(e.target.value)} />
      <div className="keys">
        {table.map(([group, rows]) => {
          const shown = rows.filter(([, name]) => fits(t(name)));
          return shown.length > 0 && (
            <section key={group}>
              <h3>{t(group)}</h3>
              <dl>{shown.map(([keys, name]) => <div key={keys + name}><dt>{t(name)}</dt><dd>{keyNames(keys).split(" ").map((k, i) => <kbd key={i} className="key">{k}</kbd>)}</dd></div>)}</dl>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}
