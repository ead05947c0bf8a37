/** How long a passphrase would hold, from 0 (a guess) to 4 (for good). A plain estimate, made here: nothing is sent anywhere. */
export type Strength = 0 | 1 | 2 | 3 | 4;

const common = /password|passwort|passphrase|qwert|letmein|iloveyou|sconce|admin|welcome|hallo|secret|geheim|dragon|monkey|football|sunshine/gi;

export function strength(passphrase: string): Strength {
  const bits = estimate(passphrase);
  if (bits < 28) return 0;
  if (bits < 45) return 1;
  if (bits < 60) return 2;
  return bits < 80 ? 3 : 4;
}

function estimate(passphrase: string): number {
  const rest = passphrase.replace(common, "*");
  const words = rest.split(/[\s\-_.,]+/).filter((w) => /^\p{L}{3,}$/u.test(w));
  // A row of words is as strong as its choice of words, not its letters.
  if (new Set(words).size >= 3 && words.join("").length > rest.length * 0.7) return new Set(words).size * 14 + 4;
  let kinds = 0;
  if (/\p{Ll}/u.test(rest)) kinds += 26;
  if (/\p{Lu}/u.test(rest)) kinds += 26;
  if (/\p{N}/u.test(rest)) kinds += 10;
  if (/[^\p{L}\p{N}]/u.test(rest)) kinds += 20;
  let bits = 0;
  const letters = [...rest];
  for (const [i, c] of letters.entries()) {
    const step = (c.codePointAt(0) ?? 0) - (letters[i - 1]?.codePointAt(0) ?? -9);
    bits += Math.log2(Math.max(2, kinds)) * (i > 0 && Math.abs(step) <= 1 ? 0.15 : letters.indexOf(c) < i ? 0.5 : 0.85);
  }
  return bits;
}
