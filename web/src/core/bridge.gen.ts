// Made by go generate ./client/bridge from the Go types; do not edit.
// docs/bridge.md describes the calls. Ids are text, times Unix milliseconds,
// durations seconds; what is absent is zero, false or empty.

/** ErrorCode tells programs why a call failed. */
export type ErrorCode =
  | "unknown_method" // there is no such call
  | "params" // what the call got is not what it takes
  | "too_long" // a line is over the limit
  | "offline" // the server can't be reached; what was queued goes out later
  | "canceled" // the caller or the client ended before the call did
  | "removed" // this device is no longer one of its person's
  | "locked" // there is no client yet, or no more: join, link, recover or unlock
  | "wrong_passphrase" // the passphrase or passkey does not open what is stored here
  | "wrong_link_code" // what was given is no linking code: it was mistyped, or a part of it is missing
  | "wrong_recovery" // what was given is no recovery key: it was mistyped, or a part of it is missing
  | "unfinished" // joining, linking or recovering was begun here: do the same again
  | "exists" // there is a device here already
  | "busy" // another program uses what is stored here
  | "full" // there is no more space here: nothing was done, and all goes on by itself when there is
  | "failed" // anything else; the message says what
  | "invalid" // the request breaks a rule; sending it again will not help
  | "unauthenticated" // no valid login
  | "forbidden" // logged in, but may not do this
  | "not_found" // there is no such thing, or not for you
  | "conflict" // somebody was first
  | "stale" // made for an earlier epoch, or while a proposal waits: sync, then make it anew
  | "too_large" // over a limit on size or number
  | "rate_limited" // too many; try again after RetryAfter
  | "unavailable" // the server can't do this at the moment, such as when its disk is full
  | "internal"; // a bug of the server's; details are in its log

/** Methods is every call, by its name: what it takes and what it gives. */
export interface Methods {
  /** State tells how the door stands: whether anything is stored here, and how it is opened. */
  state: { params: Record<never, never>; result: DoorView };
  /** Invite reads an invite without telling anybody, so that a screen can greet. Whether it was
   * used already only joining shows. */
  invite: { params: InviteParams; result: InviteView };
  /** Join makes a new person with this as their first device. Where it was interrupted, the same
   * call with the same invite finishes it. */
  join: { params: JoinParams; result: JoinResult };
  /** Link makes this a further device of a person. While it waits, an event link tells the code to
   * show, which a device that is in already approves. */
  link: { params: LinkParams; result: EnterResult };
  /** Recover makes this the one device of a person who has lost theirs. All that they had are shut
   * out; rooms and memberships stay. */
  recover: { params: RecoverParams; result: EnterResult };
  /** Cancel ends a join, link or recover under way. What it saved stays, and the same call goes on
   * with it. */
  cancel: { params: Record<never, never>; result: Record<never, never> };
  /** Unlock opens the client that is stored here, and runs it. Where it is open already, the call
   * succeeds if the key would have opened it. */
  unlock: { params: UnlockParams; result: EnterResult };
  /** Lock closes the client, and forgets what opened it. */
  lock: { params: Record<never, never>; result: Record<never, never> };
  /** Forget takes away all that is stored of this device here: it can't be brought back. The
   * person's other devices, and the list of them, do not change. */
  forget: { params: ForgetParams; result: Record<never, never> };
  /** Passkey makes a passkey open this device from now on, in the place of the one that did, or
   * none any more. */
  passkey: { params: PasskeyParams; result: Record<never, never> };
  /** ChangePassphrase changes the passphrase of this device, or gives it one. */
  changePassphrase: { params: ChangePassphraseParams; result: Record<never, never> };
  /** Handover gives what opens this device again without asking its person, for a tab that takes
   * over from this one. Whoever locks drops it everywhere. */
  handover: { params: Record<never, never>; result: HandoverResult };
  /** Me tells who this device and its person are. */
  me: { params: Record<never, never>; result: Me };
  /** Connection tells how this device stands to its server. An event of the same name tells when
   * that changes. */
  connection: { params: Record<never, never>; result: ConnectionView };
  /** Rename changes the name under which the directory lists this person. */
  rename: { params: RenameParams; result: Record<never, never> };
  /** People lists people of the network, as the server's directory says; when the server can't be
   * reached, those that this device knows. */
  people: { params: PeopleParams; result: readonly PersonView[] };
  /** Safety gives the number that two people compare, face to face or on the phone, to know that
   * nobody stands between them. */
  safety: { params: SafetyParams; result: SafetyView };
  /** CheckSafety compares the code on another person's screen with the safety number that this
   * person has for them. Call markVerified if they are the same. */
  checkSafety: { params: CheckSafetyParams; result: CheckSafetyResult };
  /** MarkVerified records that the numbers were compared and are the same. One's other devices
   * learn of it. */
  markVerified: { params: MarkVerifiedParams; result: Record<never, never> };
  /** RoomDevices lists the devices of a person of the network. */
  roomDevices: { params: RoomDevicesParams; result: readonly DeviceView[] };
  /** Rooms lists the rooms of this device, by name. */
  rooms: { params: Record<never, never>; result: readonly RoomView[] };
  /** Room gives one room. */
  room: { params: RoomParams; result: RoomView };
  /** NewRoom makes a room and brings people in. */
  newRoom: { params: NewRoomParams; result: RoomView };
  /** DirectRoom finds the room of two people, this one and another, or makes it. */
  directRoom: { params: DirectRoomParams; result: RoomView };
  /** AddPeople brings people into a room. They read what is said from then on. */
  addPeople: { params: AddPeopleParams; result: Record<never, never> };
  /** RemovePerson takes a person with all of their devices out of a room. */
  removePerson: { params: RemovePersonParams; result: Record<never, never> };
  /** SetAdmin makes a person an admin of a room, or takes that from them. The only admin stays one. */
  setAdmin: { params: SetAdminParams; result: Record<never, never> };
  /** Leave takes this person out of a room. */
  leave: { params: RoomParams; result: Record<never, never> };
  /** Dismiss takes note of a room's alarm: the person has looked into it and goes on. A room that
   * stood still because of it is joined again; one that the server says they are not in counts as
   * left. */
  dismiss: { params: RoomParams; result: Record<never, never> };
  /** SetRoom changes a room's name, description and timers for everyone in it. */
  setRoom: { params: SetRoomParams; result: Record<never, never> };
  /** Preferences says how this person wants a room listed, and of what in it to be told, on all of
   * their devices. */
  preferences: { params: PreferencesParams; result: Record<never, never> };
  /** Messages reads a room's timeline, the oldest first, those that still wait to be sent last. Of
   * before, after and around it takes one. */
  messages: { params: MessagesParams; result: readonly MessageView[] };
  /** Message reads one message that is here. */
  message: { params: MessageParams; result: MessageView };
  /** History reads what an edited message said before, the newest first. It goes with the message. */
  history: { params: MessageOfParams; result: readonly EarlierView[] };
  /** Search finds messages that this device holds, the newest first. Each call reads so many: one
   * may find nothing and still have a next. What is gone is not found. */
  search: { params: SearchParams; result: SearchView };
  /** Send queues a message. It is on this device's disk when the call returns, and goes out as soon
   * as the server can be reached; events tell. */
  send: { params: SendParams; result: MessageView };
  /** Retry sends a message of one's own again that failed, or of which it is unknown whether it was
   * sent: nobody is shown it twice. */
  retry: { params: MessageOfParams; result: Record<never, never> };
  /** Discard drops a message of one's own that failed or still waits. One that may be on its way
   * already is refused: delete it once it is sent. */
  discard: { params: MessageOfParams; result: Record<never, never> };
  /** Draft keeps what the person began to write in a room, on this device alone. */
  draft: { params: DraftParams; result: Record<never, never> };
  /** Typing tells the people of a small room who are there that this person is writing. Call it
   * while they do: more often than every four seconds it does nothing. */
  typing: { params: RoomParams; result: Record<never, never> };
  /** React puts an emoji under a message. */
  react: { params: ReactParams; result: Record<never, never> };
  /** Unreact takes one's own emoji back. */
  unreact: { params: UnreactParams; result: Record<never, never> };
  /** Edit replaces the text of one's own message. */
  edit: { params: EditParams; result: Record<never, never> };
  /** Delete asks every device in the room to drop one's own message. */
  delete: { params: DeleteParams; result: Record<never, never> };
  /** View tells that the person has seen a room up to a place: on all of their devices it counts as
   * read, and what burns after reading begins to. */
  view: { params: ViewParams; result: Record<never, never> };
  /** Sync talks with the server until nothing is left to send or to fetch. A client that runs does
   * so by itself; the call returns when it is done. */
  sync: { params: Record<never, never>; result: Record<never, never> };
  /** Devices lists this person's devices. */
  devices: { params: Record<never, never>; result: readonly DeviceView[] };
  /** Approve makes the device that shows a code one of this person's. */
  approve: { params: ApproveParams; result: DeviceView };
  /** RemoveDevice takes one of this person's devices out, and so out of every room. It can't come
   * back but as a new one. */
  removeDevice: { params: RemoveDeviceParams; result: Record<never, never> };
  /** Settings reads this person's choices. */
  settings: { params: Record<never, never>; result: Settings };
  /** SetSettings changes them, and gives them as they are then. What is absent stays. Receipts and
   * typing change on all of the person's devices. */
  setSettings: { params: SettingsChange; result: Settings };
}

/** DoorView is how a door stands, and what it belongs to. */
export interface DoorView {
  readonly state: Phase;
  /** Passkey says how to ask for the passkey that opens what is stored here, if there is one. */
  readonly passkey?: PasskeyView;
  /** a passphrase opens it */
  readonly passphrase?: boolean;
  /** what is stored survives the program */
  readonly persistent: boolean;
  readonly version: string;
  /** hash of what runs */
  readonly build: string;
  /** browser or native */
  readonly kind: string;
}

/** InviteParams is what Invite takes. */
export interface InviteParams {
  /** the link that was sent */
  readonly code: string;
}

/** InviteView is what an invite says. */
export interface InviteView {
  readonly valid: boolean;
  readonly server?: string;
  readonly network?: string;
  /** why it is not valid */
  readonly problem?: string;
}

/** JoinParams is what Join takes. What opens the device later is a passphrase, a passkey, or either
 * of both. */
export interface JoinParams {
  readonly invite: string;
  /** what others see */
  readonly name: string;
  /** what this person calls the device */
  readonly deviceName: string;
  readonly passphrase?: string;
  readonly passkey?: PasskeySecret;
}

/** JoinResult is what Join gives. */
export interface JoinResult {
  readonly me: Me;
  /** to be shown once: nothing keeps it */
  readonly recovery: string;
}

/** LinkParams is what Link takes. */
export interface LinkParams {
  /** Me.address on a device that is in already */
  readonly address: string;
  readonly deviceName: string;
  readonly passphrase?: string;
  readonly passkey?: PasskeySecret;
}

/** EnterResult is what Link, Recover and Unlock give. */
export interface EnterResult {
  readonly me: Me;
}

/** RecoverParams is what Recover takes. */
export interface RecoverParams {
  /** the recovery key */
  readonly recovery: string;
  /** of any device one had, or an invite of the network, or https://SERVER/#NETWORK */
  readonly address: string;
  readonly deviceName: string;
  readonly passphrase?: string;
  readonly passkey?: PasskeySecret;
}

/** UnlockParams is what Unlock takes: one of these. */
export interface UnlockParams {
  readonly passphrase?: string;
  readonly passkey?: PasskeySecret;
  /** of handover */
  readonly token?: string;
}

/** ForgetParams is what Forget takes. */
export interface ForgetParams {
  /** when given, it must be the one */
  readonly passphrase?: string;
}

/** PasskeyParams is what Passkey takes: one of these. */
export interface PasskeyParams {
  readonly add?: PasskeySecret;
  readonly remove?: boolean;
}

/** ChangePassphraseParams is what ChangePassphrase takes. */
export interface ChangePassphraseParams {
  /** absent where only a passkey opens this device */
  readonly old?: string;
  readonly new: string;
}

/** HandoverResult is what Handover gives. */
export interface HandoverResult {
  /** for unlock; to be kept in memory alone */
  readonly token: string;
}

/** Me is this device and its person. */
export interface Me {
  readonly user: string;
  readonly name: string;
  readonly device: string;
  readonly deviceName: string;
  readonly network: string;
  readonly server: string;
  /** for "sconce link" on a new device */
  readonly address: string;
  /** this device was taken out of its person's log */
  readonly removed?: boolean;
}

/** ConnectionView is how this device stands to its server. */
export interface ConnectionView {
  readonly state: Reach;
  /** messages that wait to be sent */
  readonly queued: number;
  /** entries that the server has and this device has not taken in */
  readonly behind: number;
  /** Ahead is by how many seconds this device's clock is ahead of the server's, below 0 when it is
   * behind, if by more than five minutes. All works on, but one of the two is wrong. */
  readonly ahead?: number;
}

/** RenameParams is what Rename takes. */
export interface RenameParams {
  /** what others see */
  readonly name: string;
}

/** PeopleParams is what People takes. */
export interface PeopleParams {
  /** part of a name, in any case; empty for all */
  readonly query?: string;
}

/** PersonView is one person of the network. */
export interface PersonView {
  readonly user: string;
  /** as the server's directory says */
  readonly name: string;
  readonly trust: Trust;
  /** 0: not known here */
  readonly devices?: number;
  readonly me?: boolean;
}

/** SafetyParams is what Safety takes. */
export interface SafetyParams {
  readonly user: string;
}

/** SafetyView is what two people compare. */
export interface SafetyView {
  readonly user: string;
  readonly name: string;
  readonly number: string;
  /** text to show as a QR code, for checkSafety on the other's device */
  readonly qr: string;
  readonly trust: Trust;
}

/** CheckSafetyParams is what CheckSafety takes. */
export interface CheckSafetyParams {
  readonly user: string;
  /** what a camera read on their screen: SafetyView.qr */
  readonly scanned: string;
}

/** CheckSafetyResult is what CheckSafety gives. */
export interface CheckSafetyResult {
  /** false is an alarm: somebody stands between the two */
  readonly same: boolean;
}

/** MarkVerifiedParams is what MarkVerified takes. */
export interface MarkVerifiedParams {
  readonly user: string;
  /** false takes it back */
  readonly verified: boolean;
}

/** RoomDevicesParams is what RoomDevices takes. */
export interface RoomDevicesParams {
  readonly user: string;
}

/** DeviceView is one device of a person. */
export interface DeviceView {
  readonly device: string;
  readonly name: string;
  readonly added: number;
  readonly this?: boolean;
  /** Fingerprint is what the device shows of itself in its settings, to compare by eye: 32
   * characters in groups of four. */
  readonly fingerprint: string;
  /** LastSeen is when one's own device was last heard of in a room, to the hour. */
  readonly lastSeen?: number;
}

/** RoomView is one room. */
export interface RoomView {
  readonly room: string;
  /** group or direct */
  readonly kind: string;
  /** of a direct room, the other person's */
  readonly name: string;
  readonly description?: string;
  /** seconds */
  readonly expire?: number;
  /** seconds */
  readonly burn?: number;
  readonly members: readonly MemberView[];
  /** Admin says that this person may do what admins may: they are one, or nobody is, because the
   * last one left. */
  readonly admin?: boolean;
  /** everybody in it is */
  readonly verified: boolean;
  readonly unread?: number;
  /** of the unread, those that mention this person */
  readonly mentions?: number;
  /** seq of the first */
  readonly firstUnread?: number;
  /** place of the newest entry this device has taken in */
  readonly last: number;
  /** LastMessage is the newest message that is still here, for a line of preview: its text is cut
   * to 280 characters. */
  readonly lastMessage?: MessageView;
  /** when the newest message was sent, also if it is gone */
  readonly activity?: number;
  /** Draft is what the person began to write here on this device, DraftReply what it answers. */
  readonly draft?: string;
  readonly draftReply?: QuoteView;
  readonly pinned?: boolean;
  readonly notify: Notify;
  /** user ids of who is writing at the moment */
  readonly typing?: readonly string[];
  /** messages that wait to be sent */
  readonly queued?: number;
  /** Left says that this device is not in the room: it left or was removed. */
  readonly left?: boolean;
  /** Waiting says why the room does not go on at the moment, as a sentence. */
  readonly waiting?: string;
  /** Alarm is set when the server or a member was caught out, as a sentence. */
  readonly alarm?: string;
  /** Unchecked is how many devices of the room are not checked yet. */
  readonly unchecked?: number;
}

/** RoomParams names a room. */
export interface RoomParams {
  readonly room: string;
}

/** NewRoomParams is what NewRoom takes. */
export interface NewRoomParams {
  readonly name: string;
  /** besides oneself */
  readonly users: readonly string[];
}

/** DirectRoomParams is what DirectRoom takes. */
export interface DirectRoomParams {
  readonly user: string;
}

/** AddPeopleParams is what AddPeople takes. */
export interface AddPeopleParams {
  readonly room: string;
  readonly users: readonly string[];
}

/** RemovePersonParams is what RemovePerson takes. */
export interface RemovePersonParams {
  readonly room: string;
  readonly user: string;
}

/** SetAdminParams is what SetAdmin takes. */
export interface SetAdminParams {
  readonly room: string;
  readonly user: string;
  readonly admin: boolean;
}

/** SetRoomParams is what SetRoom takes. What is absent stays as it is. */
export interface SetRoomParams {
  readonly room: string;
  readonly name?: string;
  readonly description?: string;
  /** seconds that a message stays; 0 for ever */
  readonly expire?: number;
  /** seconds that it stays once it was seen; 0 for ever */
  readonly burn?: number;
}

/** PreferencesParams is what Preferences takes. */
export interface PreferencesParams {
  readonly room: string;
  readonly pinned?: boolean;
  readonly notify?: Notify;
}

/** MessagesParams is what Messages takes. */
export interface MessagesParams {
  readonly room: string;
  /** a message's seq; 0 for the newest */
  readonly before?: number;
  /** or: those after this seq */
  readonly after?: number;
  /** or: half of them up to this seq, half after it */
  readonly around?: number;
  /** 50 if 0; at most 500 */
  readonly limit?: number;
}

/** MessageView is one line of a room's timeline. */
export interface MessageView {
  /** MIMI message id; empty for what is no message: notices, gaps */
  readonly id: string;
  readonly room: string;
  /** place in the log; 0 while queued */
  readonly seq?: number;
  readonly sender: string;
  readonly name: string;
  readonly mine?: boolean;
  readonly time: number;
  readonly state: State;
  /** text, reply, unsupported, notice, gap, unreadable */
  readonly kind: string;
  readonly text?: string;
  /** what Text says, for screens in other languages */
  readonly notice?: NoticeView;
  readonly replyTo?: string;
  /** of what it replies to */
  readonly quote?: QuoteView;
  readonly edited?: boolean;
  readonly deleted?: boolean;
  readonly reactions?: readonly ReactionView[];
  /** Mentions are the people of the room whom the text names. A screen shows these names, and not
   * what the sender wrote in their place. */
  readonly mentions?: readonly MentionView[];
  /** MentionsAll says that the text names everyone in the room, by a link to the room's MIMI URI,
   * and that its author was an admin when it was said. Such a link of somebody else's, or to
   * another room, is text. */
  readonly mentionsAll?: boolean;
  /** by name or with everyone */
  readonly mentionsMe?: boolean;
  /** of one's own */
  readonly receipts?: ReceiptsView;
  readonly warnings?: readonly string[];
  /** Expires is when the message will be gone from here; with Burn set and Expires 0, the clock has
   * not started: it starts when the message is viewed. */
  readonly expires?: number;
  /** seconds */
  readonly burn?: number;
  readonly problem?: string;
}

/** MessageParams is what Message takes. */
export interface MessageParams {
  readonly room: string;
  readonly id: string;
}

/** MessageOfParams is what History, Retry and Discard take. */
export interface MessageOfParams {
  readonly room: string;
  readonly message: string;
}

/** EarlierView is what a message said before it was edited. */
export interface EarlierView {
  readonly text: string;
  /** when it was written */
  readonly time: number;
}

/** SearchParams is what Search takes. */
export interface SearchParams {
  /** words; a message holds all of them, in any case */
  readonly query: string;
  /** absent: all rooms */
  readonly room?: string;
  /** next of the call before, to go on */
  readonly before?: string;
  /** 50 if 0; at most 100 */
  readonly limit?: number;
}

/** SearchView is what a search found, the newest first. */
export interface SearchView {
  readonly hits: readonly Hit[];
  /** goes on where this ended; absent: that was all */
  readonly next?: string;
}

/** SendParams is what Send takes. */
export interface SendParams {
  readonly room: string;
  readonly text: string;
  readonly replyTo?: string;
  /** Expire and Burn are seconds; the room's own timers apply where they are shorter or these are
   * 0. */
  readonly expire?: number;
  readonly burn?: number;
  /** Nonce makes a repeat safe: the same nonce in the same room gives the first message again for a
   * day. At most 128 bytes. */
  readonly nonce?: string;
}

/** DraftParams is what Draft takes. */
export interface DraftParams {
  readonly room: string;
  /** empty drops it */
  readonly text: string;
  readonly replyTo?: string;
}

/** ReactParams is what React takes. */
export interface ReactParams {
  readonly room: string;
  readonly message: string;
  readonly emoji: string;
}

/** UnreactParams is what Unreact takes. */
export interface UnreactParams {
  readonly room: string;
  readonly message: string;
  /** ReactionView.mine */
  readonly reaction: string;
}

/** EditParams is what Edit takes. */
export interface EditParams {
  readonly room: string;
  readonly message: string;
  readonly text: string;
}

/** DeleteParams is what Delete takes. */
export interface DeleteParams {
  readonly room: string;
  readonly message: string;
}

/** ViewParams is what View takes. */
export interface ViewParams {
  readonly room: string;
  /** seq of the last message on the screen */
  readonly upTo: number;
}

/** ApproveParams is what Approve takes. */
export interface ApproveParams {
  /** as the new device shows it */
  readonly code: string;
}

/** RemoveDeviceParams is what RemoveDevice takes. */
export interface RemoveDeviceParams {
  readonly device: string;
}

/** Settings are a person's choices. Receipts and Typing are the same on all of their devices. */
export interface Settings {
  /** tell senders what came and what was read, and see the same of others */
  readonly receipts: boolean;
  /** tell others while one writes, and see the same of them */
  readonly typing: boolean;
  /** show content in notifications */
  readonly previews: boolean;
  /** seconds without a touch after which a screen locks; 0 for never */
  readonly idleLock: number;
}

/** SettingsChange is a change of Settings. What is nil stays. */
export interface SettingsChange {
  readonly receipts?: boolean;
  readonly typing?: boolean;
  readonly previews?: boolean;
  readonly idleLock?: number;
}

/** Event tells a screen what changed. Fields that are not set did not change. */
export interface Event {
  /** new, or changed: same id */
  readonly message?: MessageView;
  /** a message expired or burned */
  readonly gone?: GoneEvent;
  /** new, or changed */
  readonly room?: RoomView;
  /** a device was added or removed, or the name changed */
  readonly me?: Me;
  /** the stream is up, or down */
  readonly online?: boolean;
  /** the same in more words, and what waits */
  readonly connection?: ConnectionView;
  /** somebody is writing */
  readonly typing?: TypingEvent;
  /** another device of this person's changed them */
  readonly settings?: Settings;
  /** the door opened or closed */
  readonly state?: DoorView;
  /** the code that a new device shows while it waits */
  readonly link?: LinkEvent;
  /** something a person should know */
  readonly problem?: string;
}

/** Phase is how far a door is from having a client behind it. */
export type Phase = "new" | "unfinished" | "locked" | "open";

/** PasskeyView is what an authenticator is asked with, in base64url. */
export interface PasskeyView {
  readonly credential: string;
  /** for the PRF extension */
  readonly salt: string;
}

/** PasskeySecret is what an authenticator gave for a passkey. */
export interface PasskeySecret {
  /** base64url; not needed to unlock */
  readonly credential?: string;
  /** that it was asked with, base64url of 32 bytes; not needed to unlock */
  readonly salt?: string;
  /** of the PRF extension, base64url of 32 bytes */
  readonly secret: string;
}

/** Reach says whether a device has its server. */
export type Reach = "online" | "connecting" | "offline" | "full";

/** Trust is what this person knows of another's identity. */
export type Trust = "unverified" | "verified" | "changed";

/** MemberView is one participant. */
export interface MemberView {
  readonly user: string;
  readonly name: string;
  readonly admin?: boolean;
  readonly trust: Trust;
  readonly devices: number;
}

/** QuoteView is the message that another one answers, as it is now. When that is gone from here, so
 * is its text. */
export interface QuoteView {
  readonly id: string;
  readonly sender?: string;
  readonly name?: string;
  /** at most 280 characters */
  readonly text?: string;
  readonly gone?: boolean;
}

/** Notify says of what in a room a person wants to be told. */
export type Notify = "all" | "mentions" | "none";

/** State is how far a message has come. */
export type State = "queued" | "sent" | "delivered" | "read" | "received" | "failed" | "unknown";

/** NoticeView is what happened in a room, for screens that say it in a language of their own. */
export interface NoticeView {
  readonly what: Happening;
  /** user id */
  readonly by?: string;
  readonly byName?: string;
  /** user ids */
  readonly who?: readonly string[];
  /** in the same order */
  readonly whoNames?: readonly string[];
  /** seconds */
  readonly expire?: number;
  /** seconds */
  readonly burn?: number;
  readonly name?: string;
}

/** ReactionView is one emoji under a message and who put it there. */
export interface ReactionView {
  readonly emoji: string;
  /** user ids */
  readonly by: readonly string[];
  /** id of one's own reaction, to take it back */
  readonly mine?: string;
}

/** MentionView is somebody whom a text names. */
export interface MentionView {
  readonly user: string;
  readonly name: string;
}

/** ReceiptsView tells who has said that a message of one's own is there, and who that they have
 * seen it, as user ids. Whoever read it is in both. */
export interface ReceiptsView {
  readonly delivered: readonly string[];
  readonly read: readonly string[];
}

/** Hit is a message that a search found. */
export interface Hit {
  readonly message: MessageView;
  readonly roomName: string;
}

/** GoneEvent names a message that is no longer here. Replies to it come as messages anew, without
 * what they quoted. */
export interface GoneEvent {
  readonly room: string;
  readonly id: string;
}

/** TypingEvent says that somebody writes in a room, until a time unless another event or their
 * message comes first. */
export interface TypingEvent {
  readonly room: string;
  readonly user: string;
  readonly until: number;
}

/** LinkEvent is the code that a new device shows, for one that is in already to approve it. */
export interface LinkEvent {
  readonly code: string;
  readonly expires: number;
}

/** Happening is what a notice is about. */
export type Happening = "started" | "added" | "removed" | "left" | "joined" | "device" | "named" | "timer" | "key-change" | "admin" | "member" | "other";
