import type { MessageView } from "../../core/bridge";
import { useText } from "../../i18n";
import "./composer.css";

/** What the next message is about: an answer, or a new text for an old one. */
export interface Writing {
  reply?: MessageView;
  edit?: MessageView;
}

/** In place of the composer, where a room can't be written to. */
export function Closed() {
  const t = useText();
  return <p className="composer-closed">{t("composer.closed")}</p>;
}
