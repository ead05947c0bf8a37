import { Menu } from "@base-ui/react/menu";
import { Check } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useText } from "../../i18n";
import { duration } from "../../i18n/format";
import { Button, Dialog, Field } from "../kit";
import { MenuPlace } from "../kit/menu";

const usual = [60, 300, 3_600, 28_800, 86_400, 604_800, 2_592_000];
const usualBurn = [10, 30, 60, 300, 3_600, 86_400];

interface TimerProps {
  icon: ReactNode;
  name: string;
  hint: string;
  value: number;
  none: string;
  fixed: boolean;
  hot?: boolean;
  change: (seconds: number) => void;
}

/** One of a room's two clocks. */
export function TimerMenu({ icon, name, hint, value, none, fixed, hot, change }: TimerProps) {
  const t = useText();
  const [own, setOwn] = useState(false);
  const says = value ? duration(value, "long") : none;
  const options = hot ? usualBurn : usual;
  return (
    <div className={hot && value ? "timer timer-hot" : "timer"}>
      {icon}
      <div className="setting-text"><span className="setting-name">{name}</span><span className="setting-hint">{hint}</span></div>
      {fixed ? <span className="timer-value">{says}</span> : (
        <Menu.Root>
          <Menu.Trigger render={<button type="button" className="timer-value timer-button" aria-label={`${name}: ${says}`}>{says}</button>} />
          <MenuPlace align="end" sideOffset={4}>
            <Menu.Popup className="popup menu">
              <Menu.RadioGroup value={value} onValueChange={change}>
                {[0, ...options, ...(value && !options.includes(value) ? [value] : [])].map((s) => (
                  <Menu.RadioItem key={s} value={s} className="menu-item" closeOnClick>{s ? duration(s, "long") : none}<Menu.RadioItemIndicator className="menu-item-hint"><Check size={15} /></Menu.RadioItemIndicator></Menu.RadioItem>
                ))}
              </Menu.RadioGroup>
              <div className="menu-line" role="separator" />
              <Menu.Item className="menu-item" onClick={() => setOwn(true)}>{t("timer.other")}</Menu.Item>
            </Menu.Popup>
          </MenuPlace>
        </Menu.Root>
      )}
      {own && <OwnTime title={name} close={() => setOwn(false)} change={change} />}
    </div>
  );
}

const units = [["timer.seconds", 1], ["timer.minutes", 60], ["timer.hours", 3_600], ["timer.days", 86_400]] as const;
const longest = 366 * 86_400;

function OwnTime({ title, close, change }: { title: string; close: () => void; change: (seconds: number) => void }) {
  const t = useText();
  const [count, setCount] = useState("");
  const [unit, setUnit] = useState(3_600);
  const seconds = Math.round(Number(count) * unit);
  const fine = Number.isFinite(seconds) && seconds >= 5 && seconds <= longest;
  return (
    <Dialog open close={close} title={title}>
      <form className="timer-own" onSubmit={(e) => { e.preventDefault(); if (fine) { change(seconds); close(); } }}>
        <Field label={t("timer.count")} type="number" inputMode="numeric" min={1} value={count} autoFocus error={count && !fine ? t("timer.range") : undefined} onChange={(e) => setCount(e.target.value)} />
        <label className="field"><span className="field-label">{t("timer.unit")}</span>
          <select className="input" value={unit} onChange={(e) => setUnit(Number(e.target.value))}>{units.map(([name, s]) => <option key={s} value={s}>{t(name)}</option>)}</select>
        </label>
        <div className="dialog-foot"><Button kind="quiet" onClick={close}>{t("cancel")}</Button><Button type="submit" kind="main" disabled={!fine}>{t("save")}</Button></div>
      </form>
    </Dialog>
  );
}
