import type { MessageView } from "../../core/bridge";
import { useText } from "../../i18n";
import { names } from "../../i18n/format";
import { Button } from "../kit";
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

/** In place of the composer, while a verified person's keys are not the ones that were verified. */
export function Held({ names: who, go }: { names: string[]; go: () => void }) {
  const t = useText();
  return (
    <div className="composer-closed">
      <p>{t("composer.held", { names: names(who, t) })}</p>
      <Button small onClick={go}>{t("composer.held.go")}</Button>
    </div>
  );
}
