import type { MessageView } from "../../core/bridge";
import type { AppState } from "../../core/next";
import type { Texts } from "../../i18n";
import { duration, names } from "../../i18n/format";
import { tame, tameName } from "./text";

/** A line that says what happened to the room, in the reader's language. */
export function noticeText(m: MessageView, state: Pick<AppState, "me" | "people" | "rooms">, t: Texts): string {
  if (m.kind === "gap") return t("notice.gap");
  const n = m.notice;
  if (!n) return tame(m.text ?? "");
  const name = (user: string): string => {
    const known = state.rooms[m.room]?.members.find((x) => x.user === user) ?? state.people.find((p) => p.user === user);
    return tameName(known?.name ?? user.slice(0, 8));
  };
  const me = state.me?.user;
  const mine = n.by === me ? "yes" : "no";
  const by = tameName(n.byName ?? (n.by ? name(n.by) : ""));
  const who = names((n.who ?? []).map((u, i) => (u === me ? t("notice.you") : tameName(n.whoNames?.[i] ?? name(u)))), t);
  const many = n.who?.length ?? 0;
  switch (n.what) {
    case "timer":
      if (!n.expire && !n.burn) return t("notice.timer.off", { mine, by });
      if (n.expire && n.burn) return t("notice.timer.both", { mine, by, expire: duration(n.expire, "long"), burn: duration(n.burn, "long") });
      return n.burn ? t("notice.timer.burn", { mine, by, burn: duration(n.burn, "long") }) : t("notice.timer.expire", { mine, by, expire: duration(n.expire ?? 0, "long") });
    case "added":
      return t("notice.added", { mine, by, who });
    case "removed":
      return t("notice.removed", { mine, by, who });
    case "admin":
      return t("notice.admin", { mine, by, who });
    case "member":
      return t("notice.member", { mine, by, who });
    case "left":
      return t("notice.left", { mine, by });
    case "named":
      return t("notice.named", { mine, by, name: tameName(n.name ?? "") });
    case "joined":
      return t("notice.joined", { mine: n.who?.includes(me ?? "") || mine === "yes" ? "yes" : "no", by: by || who });
    case "device":
      return t("notice.device", { mine: n.who?.includes(me ?? "") ? "yes" : "no", who });
    case "key-change":
      return t("notice.keyChange", { who: who || by, n: Math.max(1, many) });
    case "started":
      return t("notice.started", { mine, by });
    default:
      return tame(m.text ?? "");
  }
}
