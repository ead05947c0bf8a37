import { EmojiPicker } from "frimousse";
import { catalogue, useText } from "../../i18n";
import "./picker.css";

/** Every emoji, by search or by hand; its data come from our own server and only when it is opened. */
export default function Picker({ pick }: { pick: (emoji: string) => void }) {
  const t = useText();
  return (
    <EmojiPicker.Root className="picker" locale={catalogue.locale === "de" ? "de" : "en"} emojibaseUrl={`${location.origin}/emoji`} columns={8} onEmojiSelect={({ emoji }) => pick(emoji)}>
      <EmojiPicker.Search className="input" aria-label={t("emoji.search")} placeholder={t("emoji.search")} autoFocus />
      <EmojiPicker.Viewport className="picker-view">
        <EmojiPicker.Loading><span className="picker-note">{t("loading")}</span></EmojiPicker.Loading>
        <EmojiPicker.Empty><span className="picker-note">{t("emoji.none")}</span></EmojiPicker.Empty>
        <EmojiPicker.List className="picker-list" components={{
          CategoryHeader: ({ category, ...rest }) => <div className="picker-head" {...rest}>{category.label}</div>,
          Row: ({ children, ...rest }) => <div className="picker-row" {...rest}>{children}</div>,
          Emoji: ({ emoji, ...rest }) => <button type="button" className="picker-emoji" {...rest}>{emoji.emoji}</button>,
        }} />
      </EmojiPicker.Viewport>
    </EmojiPicker.Root>
  );
}
