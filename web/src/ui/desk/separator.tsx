import { useState, type PointerEvent } from "react";

interface SeparatorProps {
  label: string;
  value: number;
  min: number;
  max: number;
  /** Whether the pane that it sizes comes after it. */
  end?: boolean;
  change: (rem: number) => void;
  /** Puts the pane away. */
  fold: () => void;
}

/** The line between two panes: pointer and arrows move it, Enter and a double click put the pane away. */
export function Separator({ label, value, min, max, end, change, fold }: SeparatorProps) {
  const [from, setFrom] = useState<{ x: number; value: number }>();
  const bound = (v: number) => Math.min(max, Math.max(min, Math.round(v * 4) / 4));
  const sign = (end ? -1 : 1) * (document.documentElement.dir === "rtl" ? -1 : 1);
  const move = (e: PointerEvent) => {
    if (!from) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    change(bound(from.value + (sign * (e.clientX - from.x)) / rem));
  };
  return (
    <div className={end ? "separator separator-end" : "separator"} role="separator" aria-orientation="vertical" aria-label={label} aria-valuenow={Math.round(value)} aria-valuemin={min} aria-valuemax={max} tabIndex={0}
      onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); setFrom({ x: e.clientX, value }); }}
      onDoubleClick={fold} onPointerMove={move} onPointerUp={() => setFrom(undefined)} onPointerCancel={() => setFrom(undefined)}
      onKeyDown={(e) => {
        if (e.key === "Enter") return fold();
        const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
        if (!step) return;
        e.preventDefault();
        change(bound(value + step * sign));
      }} />
  );
}
