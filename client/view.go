package client

// What a screen draws. All ids are text: people, devices and networks in
// base32, rooms and messages in hex. Times are Unix milliseconds; 0 is "none".

// Me is this device and its person.
type Me struct {
	User       string `json:"user"`
	Name       string `json:"name"`
	Device     string `json:"device"`
	DeviceName string `json:"deviceName"`
	Network    string `json:"network"`
	Server     string `json:"server"`
	Address    string `json:"address"`           // for "sconce link" on a new device
	Removed    bool   `json:"removed,omitempty"` // this device was taken out of its person's log
}

// Trust is what this person knows of another's identity.
type Trust string

const (
	Unverified Trust = "unverified" // nobody compared safety numbers
	Verified   Trust = "verified"
	Changed    Trust = "changed" // the log contradicts what was seen before: do not send
)

// PersonView is one person of the network.
type PersonView struct {
	User    string `json:"user"`
	Name    string `json:"name"` // as the server's directory says
	Trust   Trust  `json:"trust"`
	Devices int    `json:"devices,omitempty"` // 0: not known here
	Me      bool   `json:"me,omitempty"`
}

// DeviceView is one device of a person.
type DeviceView struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	Added  int    `json:"added"`
	This   bool   `json:"this,omitempty"`
	// Fingerprint is what the device shows of itself in its settings, to compare
	// by eye: 32 characters in groups of four.
	Fingerprint string `json:"fingerprint"`
	// LastSeen is when one's own device was last heard of in a room, to the hour.
	LastSeen int `json:"lastSeen,omitempty"`
}

// RoomView is one room.
type RoomView struct {
	Room        string       `json:"room"`
	Kind        string       `json:"kind"` // group or direct
	Name        string       `json:"name"` // of a direct room, the other person's
	Description string       `json:"description,omitempty"`
	Expire      int          `json:"expire,omitempty"` // seconds
	Burn        int          `json:"burn,omitempty"`   // seconds
	Members     []MemberView `json:"members"`
	// Admin says that this person may do what admins may: they are one, or nobody
	// is, because the last one left.
	Admin       bool `json:"admin,omitempty"`
	Verified    bool `json:"verified"` // everybody in it is
	Unread      int  `json:"unread,omitempty"`
	Mentions    int  `json:"mentions,omitempty"`    // of the unread, those that mention this person
	FirstUnread int  `json:"firstUnread,omitempty"` // seq of the first
	Last        int  `json:"last"`                  // place of the newest entry this device has taken in
	// LastMessage is the newest message that is still here, for a line of
	// preview: its text is cut to 280 characters.
	LastMessage *MessageView `json:"lastMessage,omitempty"`
	Activity    int          `json:"activity,omitempty"` // when the newest message was sent, also if it is gone
	// Draft is what the person began to write here on this device, DraftReply
	// what it answers.
	Draft      string     `json:"draft,omitempty"`
	DraftReply *QuoteView `json:"draftReply,omitempty"`
	Pinned     bool       `json:"pinned,omitempty"`
	Notify     Notify     `json:"notify"`
	Typing     []string   `json:"typing,omitempty"` // user ids of who is writing at the moment
	Queued     int        `json:"queued,omitempty"` // messages that wait to be sent
	// Left says that this device is not in the room: it left or was removed.
	Left bool `json:"left,omitempty"`
	// Waiting says why the room does not go on at the moment, as a sentence.
	Waiting string `json:"waiting,omitempty"`
	// Alarm is set when the server or a member was caught out, as a sentence.
	Alarm string `json:"alarm,omitempty"`
	// Unchecked is how many devices of the room are not checked yet.
	Unchecked int `json:"unchecked,omitempty"`
}

// Notify says of what in a room a person wants to be told.
type Notify string

const (
	NotifyAll      Notify = "all"
	NotifyMentions Notify = "mentions"
	NotifyNone     Notify = "none"
)

// MemberView is one participant.
type MemberView struct {
	User    string `json:"user"`
	Name    string `json:"name"`
	Admin   bool   `json:"admin,omitempty"`
	Trust   Trust  `json:"trust"`
	Devices int    `json:"devices"`
}

// State is how far a message has come.
type State string

const (
	Queued    State = "queued"    // waits in the outbox
	Sent      State = "sent"      // stands in the room's log
	Delivered State = "delivered" // somebody else's device has said that it is there
	Read      State = "read"      // somebody else has said that they have seen it
	Received  State = "received"  // somebody else's
	Failed    State = "failed"    // it is not in the room's log; Problem says why
	Unknown   State = "unknown"   // nothing tells any more whether it was sent; Problem says why
)

// Stands reports whether a message of one's own stands in the room's log.
func (s State) Stands() bool { return s == Sent || s == Delivered || s == Read }

// GivenUp reports whether a message of one's own waits no more and is not known
// to stand in the room's log: [Client.Retry] and [Client.Discard] are for it.
func (s State) GivenUp() bool { return s == Failed || s == Unknown }

// MessageView is one line of a room's timeline.
type MessageView struct {
	ID        string         `json:"id"` // MIMI message id; empty for what is no message: notices, gaps
	Room      string         `json:"room"`
	Seq       int            `json:"seq,omitempty"` // place in the log; 0 while queued
	Sender    string         `json:"sender"`
	Name      string         `json:"name"`
	Mine      bool           `json:"mine,omitempty"`
	Time      int            `json:"time"`
	State     State          `json:"state"`
	Kind      string         `json:"kind"` // text, reply, unsupported, notice, gap, unreadable
	Text      string         `json:"text,omitempty"`
	Notice    *NoticeView    `json:"notice,omitempty"` // what Text says, for screens in other languages
	ReplyTo   string         `json:"replyTo,omitempty"`
	Quote     *QuoteView     `json:"quote,omitempty"` // of what it replies to
	Edited    bool           `json:"edited,omitempty"`
	Deleted   bool           `json:"deleted,omitempty"`
	Reactions []ReactionView `json:"reactions,omitempty"`
	// Mentions are the people of the room whom the text names. A screen shows
	// these names, and not what the sender wrote in their place.
	Mentions []MentionView `json:"mentions,omitempty"`
	// MentionsAll says that the text names everyone in the room, by a link to the
	// room's MIMI URI, and that its author was an admin when it was said. Such a
	// link of somebody else's, or to another room, is text.
	MentionsAll bool          `json:"mentionsAll,omitempty"`
	MentionsMe  bool          `json:"mentionsMe,omitempty"` // by name or with everyone
	Receipts    *ReceiptsView `json:"receipts,omitempty"`   // of one's own
	Warnings    []string      `json:"warnings,omitempty"`
	// Expires is when the message will be gone from here; with Burn set and
	// Expires 0, the clock has not started: it starts when the message is viewed.
	Expires int    `json:"expires,omitempty"`
	Burn    int    `json:"burn,omitempty"` // seconds
	Problem string `json:"problem,omitempty"`
}

// MentionView is somebody whom a text names.
type MentionView struct {
	User string `json:"user"`
	Name string `json:"name"`
}

// QuoteView is the message that another one answers, as it is now. When that is
// gone from here, so is its text.
type QuoteView struct {
	ID     string `json:"id"`
	Sender string `json:"sender,omitempty"`
	Name   string `json:"name,omitempty"`
	Text   string `json:"text,omitempty"` // at most 280 characters
	Gone   bool   `json:"gone,omitempty"`
}

// ReceiptsView tells who has said that a message of one's own is there, and
// who that they have seen it, as user ids. Whoever read it is in both.
type ReceiptsView struct {
	Delivered []string `json:"delivered"`
	Read      []string `json:"read"`
}

// Happening is what a notice is about.
type Happening string

const (
	HappenedStarted   Happening = "started"    // By began this conversation
	HappenedAdded     Happening = "added"      // By brought Who in
	HappenedRemoved   Happening = "removed"    // By took Who out
	HappenedLeft      Happening = "left"       // Who left
	HappenedJoined    Happening = "joined"     // this device came in again, or could not follow
	HappenedDevice    Happening = "device"     // the devices of Who changed
	HappenedNamed     Happening = "named"      // By named the room Name
	HappenedTimer     Happening = "timer"      // By set the timers to Expire and Burn
	HappenedKeyChange Happening = "key-change" // Who came back with other keys
	HappenedAdmin     Happening = "admin"      // By made Who an admin
	HappenedMember    Happening = "member"     // By took from Who that they are an admin
	HappenedOther     Happening = "other"      // Text says what
)

// NoticeView is what happened in a room, for screens that say it in a language
// of their own.
type NoticeView struct {
	What   Happening `json:"what"`
	By     string    `json:"by,omitempty"` // user id
	ByName string    `json:"byName,omitempty"`
	Who    []string  `json:"who,omitempty"`      // user ids
	Names  []string  `json:"whoNames,omitempty"` // in the same order
	Expire int       `json:"expire,omitempty"`   // seconds
	Burn   int       `json:"burn,omitempty"`     // seconds
	Name   string    `json:"name,omitempty"`
}

// ReactionView is one emoji under a message and who put it there.
type ReactionView struct {
	Emoji string   `json:"emoji"`
	By    []string `json:"by"`             // user ids
	Mine  string   `json:"mine,omitempty"` // id of one's own reaction, to take it back
}

// SafetyView is what two people compare.
type SafetyView struct {
	User   string `json:"user"`
	Name   string `json:"name"`
	Number string `json:"number"`
	QR     string `json:"qr"` // text to show as a QR code, for checkSafety on the other's device
	Trust  Trust  `json:"trust"`
}

// Event tells a screen what changed. Fields that are not set did not change.
type Event struct {
	Message    *MessageView    `json:"message,omitempty"`    // new, or changed: same id
	Gone       *GoneEvent      `json:"gone,omitempty"`       // a message expired or burned
	Room       *RoomView       `json:"room,omitempty"`       // new, or changed
	Me         *Me             `json:"me,omitempty"`         // a device was added or removed, or the name changed
	Online     *bool           `json:"online,omitempty"`     // the stream is up, or down
	Connection *ConnectionView `json:"connection,omitempty"` // the same in more words, and what waits
	Typing     *TypingEvent    `json:"typing,omitempty"`     // somebody is writing
	Settings   *Settings       `json:"settings,omitempty"`   // another device of this person's changed them
	State      *DoorView       `json:"state,omitempty"`      // the door opened or closed
	Link       *LinkEvent      `json:"link,omitempty"`       // the code that a new device shows while it waits
	Problem    string          `json:"problem,omitempty"`    // something a person should know
}

// GoneEvent names a message that is no longer here. Replies to it come as
// messages anew, without what they quoted.
type GoneEvent struct {
	Room string `json:"room"`
	ID   string `json:"id"`
}

// TypingEvent says that somebody writes in a room, until a time unless another
// event or their message comes first.
type TypingEvent struct {
	Room  string `json:"room"`
	User  string `json:"user"`
	Until int    `json:"until"`
}

// Reach says whether a device has its server.
type Reach string

const (
	ReachOnline     Reach = "online"     // the stream is up
	ReachConnecting Reach = "connecting" // it is being opened
	ReachOffline    Reach = "offline"    // that failed, and will be tried again
	ReachFull       Reach = "full"       // nothing more can be kept here, so nothing is sent or taken in before there is space
)

// ConnectionView is how this device stands to its server.
type ConnectionView struct {
	State  Reach `json:"state"`
	Queued int   `json:"queued"` // messages that wait to be sent
	Behind int   `json:"behind"` // entries that the server has and this device has not taken in
	// Ahead is by how many seconds this device's clock is ahead of the server's,
	// below 0 when it is behind, if by more than five minutes. All works on, but
	// one of the two is wrong.
	Ahead int `json:"ahead,omitempty"`
}

// Phase is how far a door is from having a client behind it.
type Phase string

const (
	PhaseNew        Phase = "new"        // nothing is stored here: join, link or recover
	PhaseUnfinished Phase = "unfinished" // one of these was begun and is to be done again
	PhaseLocked     Phase = "locked"     // unlock
	PhaseOpen       Phase = "open"       // every call works
)

// DoorView is how a door stands, and what it belongs to.
type DoorView struct {
	State Phase `json:"state"`
	// Passkey says how to ask for the passkey that opens what is stored here, if
	// there is one.
	Passkey    *PasskeyView `json:"passkey,omitempty"`
	Passphrase bool         `json:"passphrase,omitempty"` // a passphrase opens it
	Persistent bool         `json:"persistent"`           // what is stored survives the program
	Version    string       `json:"version"`
	Build      string       `json:"build"` // hash of what runs
	Kind       string       `json:"kind"`  // browser or native
}

// PasskeyView is what an authenticator is asked with, in base64url.
type PasskeyView struct {
	Credential string `json:"credential"`
	Salt       string `json:"salt"` // for the PRF extension
}

// LinkEvent is the code that a new device shows, for one that is in already to
// approve it.
type LinkEvent struct {
	Code    string `json:"code"`
	Expires int    `json:"expires"`
}

// Settings are a person's choices. Receipts and Typing are the same on all of
// their devices.
type Settings struct {
	Receipts bool `json:"receipts"` // tell senders what came and what was read, and see the same of others
	Typing   bool `json:"typing"`   // tell others while one writes, and see the same of them
	Previews bool `json:"previews"` // show content in notifications
	IdleLock int  `json:"idleLock"` // seconds without a touch after which a screen locks; 0 for never
}

// Draft is a message to send.
type Draft struct {
	Text    string `json:"text"`
	ReplyTo string `json:"replyTo,omitempty"`
	// Expire and Burn are seconds; the room's own timers apply where they are
	// shorter or these are 0.
	Expire int `json:"expire,omitempty"`
	Burn   int `json:"burn,omitempty"`
	// Nonce makes a repeat safe: the same nonce in the same room gives the first
	// message again for a day. At most 128 bytes.
	Nonce string `json:"nonce,omitempty"`
}
