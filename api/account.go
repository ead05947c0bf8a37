package api

// Hello says whom one is talking to. A client compares the network's id with
// the one its invite pins before it says anything else.
var Hello = Endpoint[Empty, HelloResponse]{Name: "hello", Open: true}

type HelloResponse struct {
	Version    int    `cbor:"1,keyasint"`
	Network    Hash   `cbor:"2,keyasint"` // hash of NetworkKey
	NetworkKey []byte `cbor:"3,keyasint"` // identity.NetworkKey
	Time       int64  `cbor:"4,keyasint"`
	// Sender is the P-256 key with which the server proposes removals: rooms
	// list it as their one external sender (RFC 9420, Section 12.1.8.1).
	// SenderProof is the network key's signature over it.
	Sender      []byte `cbor:"5,keyasint"`
	SenderProof []byte `cbor:"6,keyasint"`
}

// Join turns an invite into a person with one device. A repeat with the same
// genesis entry gets the same answer.
var Join = Endpoint[JoinRequest, JoinResponse]{Name: "join", Open: true}

type JoinRequest struct {
	Invite  []byte `cbor:"1,keyasint"` // the invite's token
	Name    string `cbor:"2,keyasint"` // what others see
	Genesis []byte `cbor:"3,keyasint"` // the device log's first entry
}

type JoinResponse struct {
	User UserID `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
}

// Challenge and Login prove that a device holds its login key. The token is
// good for a day, for this device alone, and ends when the device is removed.
var (
	Challenge = Endpoint[ChallengeRequest, ChallengeResponse]{Name: "challenge", Open: true}
	Login     = Endpoint[LoginRequest, LoginResponse]{Name: "login", Open: true}
)

type ChallengeRequest struct {
	User   UserID   `cbor:"1,keyasint"`
	Device DeviceID `cbor:"2,keyasint"`
}

type ChallengeResponse struct {
	Challenge []byte `cbor:"1,keyasint"`
}

type LoginRequest struct {
	User      UserID   `cbor:"1,keyasint"`
	Device    DeviceID `cbor:"2,keyasint"`
	Challenge []byte   `cbor:"3,keyasint"`
	Signature []byte   `cbor:"4,keyasint"` // identity.SignLogin
}

type LoginResponse struct {
	Token   []byte `cbor:"1,keyasint"`
	Expires int64  `cbor:"2,keyasint"`
}

// People lists the network's directory in order of name.
var People = Endpoint[PeopleRequest, PeopleResponse]{Name: "people"}

type PeopleRequest struct {
	Query string   `cbor:"1,keyasint,omitempty"` // part of a name, any case
	After string   `cbor:"2,keyasint,omitempty"` // cursor: PeopleResponse.Next
	Limit int      `cbor:"3,keyasint,omitempty"` // 100 if 0
	Users []UserID `cbor:"4,keyasint,omitempty"` // just these, instead of a query
}

type PeopleResponse struct {
	People []Person `cbor:"1,keyasint"`
	Next   string   `cbor:"2,keyasint,omitempty"` // empty at the end
}

// Person is a row of the directory: what the server says, to be checked
// against the person's device log.
type Person struct {
	User      UserID `cbor:"1,keyasint"`
	Name      string `cbor:"2,keyasint"`
	LogLength uint32 `cbor:"3,keyasint"`
	LogHead   Hash   `cbor:"4,keyasint"`
}

// Rename changes the caller's name in the directory.
var Rename = Endpoint[RenameRequest, Empty]{Name: "rename"}

type RenameRequest struct {
	Name string `cbor:"1,keyasint"`
}
