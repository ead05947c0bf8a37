import type { PasskeySecret, PasskeyView } from "./bridge";

/** Why a passkey can't open the store here; a screen puts it into words. */
export class PasskeyError extends Error {
  constructor(readonly reason: "unsupported" | "refused" | "no-prf") {
    super(reason);
    this.name = "PasskeyError";
  }
}

/** Whether this browser may hold a passkey that yields a secret. A page at an address without a name can't have any. */
export async function passkeysWork(): Promise<boolean> {
  if (typeof PublicKeyCredential === "undefined" || !isSecureContext) return false;
  if (/^[\d.]+$|^\[/.test(location.hostname)) return false;
  try {
    const can = await PublicKeyCredential.getClientCapabilities();
    return can["extension:prf"] !== false;
  } catch {
    return true; // an older browser that does not tell: trying shows
  }
}

/** Makes a passkey, and asks it for the secret that will wrap the store's key. */
export async function makePasskey(name: string): Promise<PasskeySecret> {
  const salt = crypto.getRandomValues(new Uint8Array(32));
  const made = await ask(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { name: "Sconce", id: location.hostname },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -257 }],
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        extensions: { prf: { eval: { first: salt } } },
      },
    }),
  );
  const slot = { credential: encode(new Uint8Array(made.rawId)), salt: encode(salt) };
  const prf = made.getClientExtensionResults().prf;
  if (prf?.results?.first) return { ...slot, secret: encode(bytes(prf.results.first)) };
  if (!prf?.enabled) throw new PasskeyError("no-prf");
  // Some authenticators give the secret only when the passkey is used.
  return { ...slot, secret: await usePasskey(slot) };
}

/** Asks a passkey for its secret. */
export async function usePasskey(slot: PasskeyView): Promise<string> {
  const used = await ask(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        rpId: location.hostname,
        allowCredentials: [{ type: "public-key", id: decode(slot.credential) }],
        userVerification: "required",
        extensions: { prf: { eval: { first: decode(slot.salt) } } },
      },
    }),
  );
  const first = used.getClientExtensionResults().prf?.results?.first;
  if (!first) throw new PasskeyError("no-prf");
  return encode(bytes(first));
}

async function ask(how: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  if (typeof PublicKeyCredential === "undefined") throw new PasskeyError("unsupported");
  let given: Credential | null;
  try {
    given = await how();
  } catch (error) {
    throw new PasskeyError(error instanceof DOMException && error.name === "NotSupportedError" ? "unsupported" : "refused");
  }
  if (!(given instanceof PublicKeyCredential)) throw new PasskeyError("refused");
  return given;
}

function bytes(source: BufferSource): Uint8Array {
  return source instanceof ArrayBuffer ? new Uint8Array(source) : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

function encode(raw: Uint8Array): string {
  return btoa(String.fromCharCode(...raw)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}
