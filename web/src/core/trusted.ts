// The one place where a URL becomes a script. The content security policy lets
// no other through: it names a single Trusted Types policy, "app", and this is
// it. It accepts what the build put beside the page, and nothing else.

interface Policy {
  createScriptURL(url: string): string;
}

interface Policies {
  createPolicy(name: string, rules: Policy): Policy;
}

function accept(url: string): string {
  const { origin, pathname, search, hash } = new URL(url, location.href);
  if (origin !== location.origin || !/^\/assets\/[\w.-]+\.js$/.test(pathname) || search !== "" || hash !== "") {
    throw new TypeError("this script is not part of the page");
  }
  return origin + pathname;
}

const { trustedTypes } = globalThis as { trustedTypes?: Policies };
const policy: Policy = trustedTypes?.createPolicy("app", { createScriptURL: accept }) ?? { createScriptURL: accept };

/** Starts a module worker from a script of the build (imported with "?worker&url"). */
export function startWorker(url: string, name: string): Worker {
  return new Worker(policy.createScriptURL(url), { type: "module", name });
}
