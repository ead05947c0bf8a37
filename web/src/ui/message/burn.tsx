import { Flame, Hourglass } from "lucide-react";
import type { MessageView } from "../../core/bridge";
import { useText } from "../../i18n";
import { dateTime, duration, remaining } from "../../i18n/format";
import { useNow } from "../context";
import { Ring, Tip } from "../kit";

/** From here on a message's end is shown on all of it. */
export const lastSeconds = 10;

/** How much of a message's time is left, from 1 to 0, and in seconds. */
export function timeLeft(m: Pick<MessageView, "burn" | "expires" | "time">, now: number): { part: number; seconds: number } | undefined {
  if (!m.expires) return undefined;
  const left = Math.max(0, m.expires - now);
  const whole = m.burn && m.burn * 1000 >= left ? m.burn * 1000 : Math.max(1, m.expires - m.time);
  return { part: left / whole, seconds: left / 1000 };
}

/** How often a clock must be looked at. */
export function beat(m: MessageView): number {
  if (!m.expires) return 0;
  const left = m.expires - Date.now();
  return left < 90_000 ? 250 : left < 3_600_000 ? 5_000 : 60_000;
}

/** A message's time as a ring that empties; with seconds in the end. */
export function Countdown({ message: m }: { message: MessageView }) {
  const t = useText();
  const now = useNow(beat(m));
  const left = timeLeft(m, now);
  if (!left) {
    if (!m.burn) return null;
    return <Tip text={t("burn.onRead", { time: duration(m.burn, "long") })}><span className="clock clock-hot" role="img" aria-label={t("burn.onRead", { time: duration(m.burn, "long") })}><Flame size={12} aria-hidden="true" /></span></Tip>;
  }
  const soon = left.seconds < 60;
  const spoken = t("burn.left", { time: remaining(left.seconds) });
  return (
    <Tip text={`${spoken} · ${dateTime(m.expires ?? 0)}`}>
      <span className={soon || m.burn ? "clock clock-hot" : "clock"} role="img" aria-label={spoken}>
        {left.seconds > 86_400 && !m.burn ? <Hourglass size={11} aria-hidden="true" /> : <Ring left={left.part} size={left.seconds <= lastSeconds ? 14 : 12} />}
        {left.seconds < 3_600 && <span className="figures" aria-hidden="true">{remaining(left.seconds)}</span>}
      </span>
    </Tip>
  );
}

/** How far the last seconds have gone, as a style for the bubble; nothing before them. */
export function useLastSeconds(m: MessageView): number | undefined {
  const near = m.expires !== undefined && m.expires > 0;
  const now = useNow(near ? beat(m) : 0);
  const left = timeLeft(m, now);
  return left && left.seconds <= lastSeconds ? Math.ceil(left.seconds) : undefined;
}
