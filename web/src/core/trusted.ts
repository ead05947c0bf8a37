// Addresses of scripts that the page may start, under the one policy that its
// Content-Security-Policy allows. Everything else in the page can't make any.

interface Policy {
  createScriptURL(url: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): Policy;
}

const known = new Set<string>();
let policy: Policy | undefined;

/** Marks an address that the build itself has made as one of ours. */
export function ourScript(url: string): string {
  const full = new URL(url, location.href);
  if (full.origin !== location.origin) throw new TypeError("a script from elsewhere");
  known.add(full.href);
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  if (!factory) return full.href;
  policy ??= factory.createPolicy("app", {
    createScriptURL(asked) {
      if (!known.has(asked)) throw new TypeError("not a script of ours");
      return asked;
    },
  });
  return policy.createScriptURL(full.href);
}
