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

// DeviceView is one device of this person.
type DeviceView struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	Added  int    `json:"added"`
	This   bool   `json:"this,omitempty"`
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
	Unread      int          `json:"unread,omitempty"`
	Last        int          `json:"last"` // place of the newest entry this device has taken in
	// Left says that this device is not in the room: it left or was removed.
	Left bool `json:"left,omitempty"`
	// Waiting says why the room does not go on at the moment, as a sentence.
	Waiting string `json:"waiting,omitempty"`
	// Alarm is set when the server or a member was caught out, as a sentence.
	Alarm string `json:"alarm,omitempty"`
	// Unchecked is how many devices of the room are not checked yet.
	Unchecked int `json:"unchecked,omitempty"`
}

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
	Queued   State = "queued"   // waits in the outbox
	Sent     State = "sent"     // stands in the room's log
	Received State = "received" // somebody else's
	Failed   State = "failed"   // the room will never take it; Problem says why
)

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
	ReplyTo   string         `json:"replyTo,omitempty"`
	Edited    bool           `json:"edited,omitempty"`
	Deleted   bool           `json:"deleted,omitempty"`
	Reactions []ReactionView `json:"reactions,omitempty"`
	Warnings  []string       `json:"warnings,omitempty"`
	// Expires is when the message will be gone from here; with Burn set and
	// Expires 0, the clock has not started: it starts when the message is viewed.
	Expires int    `json:"expires,omitempty"`
	Burn    int    `json:"burn,omitempty"` // seconds
	Problem string `json:"problem,omitempty"`
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
	Trust  Trust  `json:"trust"`
}

// Event tells a screen what changed. Fields that are not set did not change.
type Event struct {
	Message *MessageView `json:"message,omitempty"` // new, or changed: same id
	Gone    *GoneEvent   `json:"gone,omitempty"`    // a message expired or burned
	Room    *RoomView    `json:"room,omitempty"`    // new, or changed
	Me      *Me          `json:"me,omitempty"`      // a device was added or removed, or the name changed
	Online  *bool        `json:"online,omitempty"`  // the stream is up, or down
	Problem string       `json:"problem,omitempty"` // something a person should know
}

// GoneEvent names a message that is no longer here.
type GoneEvent struct {
	Room string `json:"room"`
	ID   string `json:"id"`
}

// Draft is a message to send.
type Draft struct {
	Text    string `json:"text"`
	ReplyTo string `json:"replyTo,omitempty"`
	// Expire and Burn are seconds; the room's own timers apply where they are
	// shorter or these are 0.
	Expire int `json:"expire,omitempty"`
	Burn   int `json:"burn,omitempty"`
}
