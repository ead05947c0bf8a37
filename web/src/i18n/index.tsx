import { setupI18n, type I18n } from "@lingui/core";
import { I18nProvider, useLingui } from "@lingui/react";
import { type ReactNode } from "react";
import { messages as english } from "virtual:catalogue/en";
import type en from "./en.json";
import type { Look } from "../core/look";

/** The name of a text in the catalogue. */
export type TextId = keyof typeof en;
export type Values = Record<string, string | number>;
export type Texts = (id: TextId, values?: Values) => string;

export const catalogue: I18n = setupI18n({ locale: "en", messages: { en: english } });

const rightToLeft = /^(ar|fa|he|ur)\b/;

/** Speaks a language from now on; what has no catalogue is spoken in English. */
export async function speak(wish: Look["language"]): Promise<void> {
  const asked = wish === "system" ? navigator.languages.find((l) => /^(en|de)\b/.test(l)) ?? "en" : wish;
  const language = asked.startsWith("de") ? "de" : "en";
  if (language === "de") {
    const { messages } = await import("virtual:catalogue/de");
    catalogue.load("de", messages);
  }
  catalogue.activate(language);
  document.documentElement.lang = language;
  if (document.documentElement.dir !== "rtl") document.documentElement.dir = rightToLeft.test(language) ? "rtl" : "ltr";
}

export function text(id: TextId, values?: Values): string {
  return catalogue._(id, values);
}

export function Speech({ children }: { children: ReactNode }) {
  return <I18nProvider i18n={catalogue}>{children}</I18nProvider>;
}

/** The catalogue's texts in the language of the moment. */
export function useText(): Texts {
  const { i18n } = useLingui();
  return (id, values) => i18n._(id, values);
}
