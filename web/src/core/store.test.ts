import { beforeEach, describe, expect, it, vi } from "vitest";
import { CoreError, type Door, type Event, type GoneEvent, type MessageView } from "./bridge";
import { Session } from "./store";

/** A door that is open, and from which the test tells what happens. */
function harbour() {
  let tell: (event: Event) => void = () => undefined;
  let lost: () => void = () => undefined;
  const answers: Record<string, unknown> = {
    state: { state: "open", persistent: true, version: "1", build: "b", kind: "browser" },
    me: { user: "me", name: "Me", device: "d", deviceName: "D", network: "n", server: "s", address: "a" },
    rooms: [{ room: "r", kind: "group", name: "r", members: [], last: 0, notify: "all", verified: true }],
    settings: { receipts: true, typing: true, previews: false, idleLock: 0 },
    people: [],
    devices: [],
    messages: [],
  };
  const refused = new Map<string, CoreError>();
  const asked: [string, unknown][] = [];
  const door = {
    call: (method: string, params: unknown) => {
      asked.push([method, params]);
      const error = refused.get(method);
      return error ? Promise.reject(error) : Promise.resolve(answers[method] ?? {});
    },
    subscribe: (listener: (event: Event) => void, gone: () => void) => {
      [tell, lost] = [listener, gone];
      return () => undefined;
    },
  } as unknown as Door;
  return { door, tell: (event: Event) => tell(event), lose: () => lost(), refused, asked };
}

const message: MessageView = { id: "m1", room: "r", seq: 1, sender: "u", name: "U", time: 1, state: "received", kind: "text", text: "at dawn" };

describe("a session", () => {
  beforeEach(() => vi.stubGlobal("document", { hidden: false }));

  it("reads a message aloud until it burns, and holds nothing of it then", async () => {
    const { door, tell } = harbour();
    const session = new Session(door, { explain: String, notify: () => undefined, letIn: () => undefined });
    await session.start();
    session.select("r");
    await vi.waitFor(() => expect(session.state.timelines["r"]).toBeDefined());
    tell({ message });
    expect(session.state.announced?.text).toBe("at dawn");
    tell({ gone: { room: "r", id: "m1" } });
    expect(JSON.stringify(session.state)).not.toContain("at dawn");
    session.stop();
  });

  it("tells what was viewed on a full disk once there is space, and asks for nothing before", async () => {
    const { door, tell, refused, asked } = harbour();
    const session = new Session(door, { explain: String, notify: () => undefined, letIn: () => undefined });
    await session.start();
    await vi.waitFor(() => expect(session.state.loaded).toBe(true));
    const views = () => asked.filter(([method]) => method === "view").map(([, params]) => params);
    refused.set("view", new CoreError("full", "there is no space"));
    session.view("r", 1);
    await vi.waitFor(() => expect(views()).toHaveLength(1));
    tell({ connection: { state: "full", queued: 0, behind: 0 } });
    session.view("r", 2);
    tell({ connection: { state: "full", queued: 0, behind: 0 } });
    await new Promise((r) => setTimeout(r));
    expect(views()).toHaveLength(1);
    expect(session.state.toasts).toEqual([]);
    refused.clear();
    tell({ connection: { state: "online", queued: 0, behind: 0 } });
    await vi.waitFor(() => expect(views()).toEqual([{ room: "r", upTo: 1 }, { room: "r", upTo: 2 }]));
    tell({ connection: { state: "offline", queued: 0, behind: 0 } });
    await new Promise((r) => setTimeout(r));
    expect(views()).toHaveLength(2);
    session.stop();
  });

  it("tells whatever else shows messages what is gone, also where no timeline is loaded", async () => {
    const { door, tell, lose } = harbour();
    const session = new Session(door, { explain: String, notify: () => undefined, letIn: () => undefined });
    await session.start();
    const told: (GoneEvent | undefined)[] = [];
    session.watch((gone) => told.push(gone));
    tell({ gone: { room: "q", id: "m7" } });
    tell({ message: { ...message, deleted: true, text: "" } });
    tell({ state: { state: "locked", persistent: true, version: "1", build: "b", kind: "browser" } });
    lose();
    expect(told).toEqual([{ room: "q", id: "m7" }, { room: "r", id: "m1" }, undefined, undefined]);
    session.stop();
  });
});
