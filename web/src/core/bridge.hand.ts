// The types of the client's door, as docs/bridge.md describes them.
// Ids are text, times Unix milliseconds, durations seconds; 0 or absent is none.

export interface Me {
  readonly user: string;
  readonly name: string;
  readonly device: string;
  readonly deviceName: string;
  readonly network: string;
  readonly server: string;
  readonly address: string;
  readonly removed?: boolean;
}

export type Trust = "unverified" | "verified" | "changed";

export interface PersonView {
  readonly user: string;
  readonly name: string;
  readonly trust: Trust;
  readonly devices: number;
  readonly me?: boolean;
}

export interface SafetyView {
  readonly user: string;
  readonly name: string;
  readonly number: string;
  readonly trust: Trust;
  readonly qr: string;
}

export interface MemberView {
  readonly user: string;
  readonly name: string;
  readonly admin?: boolean;
  readonly trust: Trust;
  readonly devices: number;
}

export type Notify = "all" | "mentions" | "none";

export interface RoomView {
  readonly room: string;
  readonly kind: string;
  readonly name: string;
  readonly description?: string;
  readonly expire?: number;
  readonly burn?: number;
  readonly members: readonly MemberView[];
  readonly unread?: number;
  readonly last: number;
  readonly left?: boolean;
  readonly waiting?: string;
  readonly alarm?: string;
  readonly unchecked?: number;
  readonly lastMessage?: MessageView;
  readonly activity: number;
  readonly firstUnread?: number;
  readonly mentions?: number;
  readonly draft?: string;
  readonly pinned?: boolean;
  readonly notify: Notify;
  readonly typing?: readonly string[];
  readonly queued?: number;
  readonly verified: boolean;
}

export interface ReactionView {
  readonly emoji: string;
  readonly by: readonly string[];
  readonly mine?: string;
}

export interface QuoteView {
  readonly id: string;
  readonly sender: string;
  readonly name: string;
  readonly text: string;
  readonly gone?: boolean;
}

export type NoticeWhat =
  | "timer" | "added" | "removed" | "left" | "named" | "joined" | "device" | "key-change" | "started" | "other";

export interface NoticeView {
  readonly what: NoticeWhat;
  readonly by?: string;
  readonly who?: readonly string[];
  readonly expire?: number;
  readonly burn?: number;
  readonly name?: string;
}

export interface MentionView {
  readonly user: string;
  readonly name: string;
}

export interface ReceiptsView {
  readonly delivered: readonly string[];
  readonly read: readonly string[];
}

export type MessageState = "queued" | "sent" | "received" | "failed" | "delivered" | "read";

export interface MessageView {
  readonly id: string;
  readonly room: string;
  readonly seq?: number;
  readonly sender: string;
  readonly name: string;
  readonly mine?: boolean;
  readonly time: number;
  readonly state: MessageState;
  readonly kind: string;
  readonly text?: string;
  readonly replyTo?: string;
  readonly edited?: boolean;
  readonly deleted?: boolean;
  readonly reactions?: readonly ReactionView[];
  readonly warnings?: readonly string[];
  readonly expires?: number;
  readonly burn?: number;
  readonly problem?: string;
  readonly receipts?: ReceiptsView;
  readonly mentions?: readonly MentionView[];
  readonly mentionsMe?: boolean;
  readonly quote?: QuoteView;
  readonly notice?: NoticeView;
}

export interface DeviceView {
  readonly device: string;
  readonly name: string;
  readonly added: number;
  readonly this?: boolean;
  readonly fingerprint: string;
  readonly lastSeen?: number;
}

export interface Settings {
  readonly receipts: boolean;
  readonly typing: boolean;
  readonly previews: boolean;
  readonly idleLock: number;
}

export interface PasskeySlot {
  readonly credential: string;
  readonly salt: string;
}

export interface PasskeySecret extends PasskeySlot {
  readonly secret: string;
}

export type HostState = "new" | "unfinished" | "locked" | "open";

export interface State {
  readonly state: HostState;
  readonly passkey?: PasskeySlot;
  readonly persistent: boolean;
  readonly version: string;
  readonly build: string;
  readonly kind: "browser" | "native";
}

export interface InviteView {
  readonly server: string;
  readonly network: string;
  readonly valid: boolean;
  readonly name?: string;
}

export interface SearchHit {
  readonly message: MessageView;
  readonly roomName: string;
}

export interface Revision {
  readonly text: string;
  readonly time: number;
}

export interface LinkEvent {
  readonly code: string;
  readonly expires: number;
}

export interface ConnectionEvent {
  readonly state: "online" | "connecting" | "offline";
  readonly queued: number;
  readonly behind: number;
}

export interface TypingEvent {
  readonly room: string;
  readonly user: string;
  readonly until: number;
}

export interface GoneEvent {
  readonly room: string;
  readonly id: string;
}

export interface Event {
  readonly message?: MessageView;
  readonly gone?: GoneEvent;
  readonly room?: RoomView;
  readonly me?: Me;
  readonly online?: boolean;
  readonly problem?: string;
  readonly state?: State;
  readonly link?: LinkEvent;
  readonly connection?: ConnectionEvent;
  readonly typing?: TypingEvent;
}

export type ErrorCode =
  | "unknown_method" | "params" | "too_long" | "offline" | "canceled" | "removed" | "failed"
  | "locked" | "wrong_passphrase" | "unfinished" | "exists" | "busy"
  | "invalid" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "stale" | "too_large"
  | "rate_limited" | "unavailable" | "internal";

type None = Record<never, never>;

interface Wrap {
  readonly passphrase?: string;
  readonly passkey?: PasskeySecret;
}

export interface Methods {
  state: { params: None; result: State };
  join: { params: { invite: string; name: string; deviceName: string } & Wrap; result: { me: Me; recovery: string } };
  link: { params: { address: string; deviceName: string } & Wrap; result: { me: Me } };
  cancel: { params: None; result: None };
  recover: { params: { recovery: string; address: string; deviceName: string } & Wrap; result: { me: Me } };
  unlock: { params: { passphrase?: string; passkey?: { secret: string } }; result: { me: Me } };
  lock: { params: None; result: None };
  forget: { params: { passphrase?: string }; result: None };
  invite: { params: { code: string }; result: InviteView };
  passkey: { params: { add?: PasskeySecret; remove?: boolean }; result: None };
  changePassphrase: { params: { old: string; new: string }; result: None };

  me: { params: None; result: Me };
  rename: { params: { name: string }; result: None };
  people: { params: { query?: string }; result: readonly PersonView[] };
  safety: { params: { user: string }; result: SafetyView };
  checkSafety: { params: { user: string; scanned: string }; result: { same: boolean } };
  markVerified: { params: { user: string; verified: boolean }; result: None };
  roomDevices: { params: { user: string }; result: readonly DeviceView[] };

  rooms: { params: None; result: readonly RoomView[] };
  room: { params: { room: string }; result: RoomView };
  newRoom: { params: { name: string; users: readonly string[] }; result: RoomView };
  directRoom: { params: { user: string }; result: RoomView };
  addPeople: { params: { room: string; users: readonly string[] }; result: None };
  removePerson: { params: { room: string; user: string }; result: None };
  leave: { params: { room: string }; result: None };
  dismiss: { params: { room: string }; result: None };
  setRoom: { params: { room: string; name?: string; description?: string; expire?: number; burn?: number }; result: None };
  preferences: { params: { room: string; pinned?: boolean; notify?: Notify }; result: None };
  draft: { params: { room: string; text: string; replyTo?: string }; result: None };
  typing: { params: { room: string }; result: None };

  messages: { params: { room: string; before?: number; after?: number; around?: number; limit?: number }; result: readonly MessageView[] };
  message: { params: { room: string; id: string }; result: MessageView };
  send: { params: { room: string; text: string; replyTo?: string; expire?: number; burn?: number; nonce?: string }; result: MessageView };
  react: { params: { room: string; message: string; emoji: string }; result: None };
  unreact: { params: { room: string; message: string; reaction: string }; result: None };
  edit: { params: { room: string; message: string; text: string }; result: None };
  delete: { params: { room: string; message: string }; result: None };
  retry: { params: { room: string; message: string }; result: None };
  discard: { params: { room: string; message: string }; result: None };
  history: { params: { room: string; message: string }; result: readonly Revision[] };
  view: { params: { room: string; upTo: number }; result: None };
  search: { params: { query: string; room?: string; before?: string; limit?: number }; result: { hits: readonly SearchHit[]; next?: string } };

  settings: { params: None; result: Settings };
  setSettings: { params: Partial<Settings>; result: Settings };
  devices: { params: None; result: readonly DeviceView[] };
  approve: { params: { code: string }; result: DeviceView };
  removeDevice: { params: { device: string }; result: None };
  sync: { params: None; result: None };
}
