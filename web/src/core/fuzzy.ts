/** A fit of a query in a text: the better the higher, and which letters it hit; nothing where it does not fit. */
export interface Fit {
  score: number;
  hits: number[];
}

const fold = (s: string): string => s.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Finds the query's letters in the text in order; starts of words and runs count more. */
export function fuzzy(query: string, text: string): Fit | undefined {
  const wanted = [...fold(query).replace(/\s+/g, "")];
  if (wanted.length === 0) return { score: 0, hits: [] };
  const letters = [...text.slice(0, 200)];
  const hits: number[] = [];
  let score = 0;
  let at = 0;
  for (const [i, raw] of letters.entries()) {
    const letter = fold(raw);
    if (at >= wanted.length || letter === "" || letter[0] !== wanted[at]) continue;
    const starts = i === 0 || /[\s\-_.#@]/.test(letters[i - 1] ?? "");
    score += 1 + (starts ? 4 : 0) + (hits.at(-1) === i - 1 ? 3 : 0) - Math.min(i, 20) * 0.02;
    hits.push(i);
    at++;
  }
  return at === wanted.length ? { score: score - letters.length * 0.01, hits } : undefined;
}
