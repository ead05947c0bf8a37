import { Globe } from "lucide-react";
import { useText } from "../../i18n";
import { Callout, Confirm } from "../kit";
import { safeLink, tame } from "../message/text";

/** Before a link from a message is opened: where it really leads. */
export function FollowLink({ url, text, close }: { url: string; text: string; close: () => void }) {
  const t = useText();
  const to = safeLink(url);
  if (!to) return null;
  const host = to.protocol === "mailto:" ? to.pathname : to.host;
  const open = () => window.open(to.href, "_blank", "noopener,noreferrer");
  return (
    <Confirm open close={close} title={t("follow.title")} text={t("follow.text")} yes={t("follow.go")} act={open}>
      <div className="follow">
        <Globe size={18} aria-hidden="true" />
        <div><b dir="ltr">{host}</b><span className="code" dir="ltr">{to.href.slice(0, 600)}</span></div>
      </div>
      {/xn--/.test(to.host) && <Callout>{t("follow.punycode")}</Callout>}
      {to.username && <Callout>{t("follow.user")}</Callout>}
      {pretends(text, to) && <Callout kind="bad">{t("follow.pretends", { text: tame(text).slice(0, 60), host })}</Callout>}
    </Confirm>
  );
}

/** Whether a link's text looks like the address of somewhere else. */
export function pretends(text: string, to: URL): boolean {
  const named = /(?:^|[\s/@(])((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?=$|[\s/:?#)])/u.exec(text.trim())?.[1];
  if (!named) return false;
  try {
    const host = new URL(`https://${named}`).host;
    return host !== to.host && `www.${host}` !== to.host && host !== `www.${to.host}`;
  } catch {
    return true;
  }
}
