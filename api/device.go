package api

// AppendLog adds the next entry to a device log. The entry proves its own
// authority, so that a recovery key can speak where no device is left; the
// call is open and limited in rate. An entry that is not the next one gets
// Conflict; an entry that is there already gets the first answer.
var AppendLog = Endpoint[AppendLogRequest, AppendLogResponse]{Name: "log/append", Open: true}

type AppendLogRequest struct {
	User  UserID `cbor:"1,keyasint"`
	Entry []byte `cbor:"2,keyasint"`
}

type AppendLogResponse struct {
	LogLength uint32 `cbor:"1,keyasint"`
	LogHead   Hash   `cbor:"2,keyasint"`
}

// Logs reads device logs, in the order asked for. A log too large for one
// answer is cut, and its Length tells.
var Logs = Endpoint[LogsRequest, LogsResponse]{Name: "log/read"}

type LogsRequest struct {
	Logs []LogQuery `cbor:"1,keyasint"`
}

type LogQuery struct {
	User UserID `cbor:"1,keyasint"`
	From uint32 `cbor:"2,keyasint,omitempty"` // index of the first entry wanted
}

type LogsResponse struct {
	Logs []LogSlice `cbor:"1,keyasint"`
}

type LogSlice struct {
	User    UserID   `cbor:"1,keyasint"`
	From    uint32   `cbor:"2,keyasint,omitempty"`
	Entries [][]byte `cbor:"3,keyasint"`
	Length  uint32   `cbor:"4,keyasint"` // of the whole log
}

// RecoveryLog finds the log that a recovery key may speak for, for someone who
// has nothing but that key.
var RecoveryLog = Endpoint[RecoveryLogRequest, RecoveryLogResponse]{Name: "log/recover", Open: true}

type RecoveryLogRequest struct {
	Key Hash `cbor:"1,keyasint"` // identity.RecoveryKey.ID
}

type RecoveryLogResponse struct {
	User    UserID   `cbor:"1,keyasint"`
	Name    string   `cbor:"2,keyasint"`
	Entries [][]byte `cbor:"3,keyasint"`
}

// OfferLink puts a new device's admission to a person's log under a rendezvous
// id for ten minutes; ReadLink is how both devices look at the offer: the old
// one to fetch it, the new one to learn that it was let in.
var (
	OfferLink = Endpoint[OfferLinkRequest, Empty]{Name: "link/offer", Open: true}
	ReadLink  = Endpoint[ReadLinkRequest, ReadLinkResponse]{Name: "link/read", Open: true}
)

type OfferLinkRequest struct {
	Rendezvous [8]byte `cbor:"1,keyasint"`
	User       UserID  `cbor:"2,keyasint"` // whose device it wants to be
	Admission  []byte  `cbor:"3,keyasint"` // identity.Admission
}

type ReadLinkRequest struct {
	Rendezvous [8]byte `cbor:"1,keyasint"`
}

type ReadLinkResponse struct {
	User      UserID `cbor:"1,keyasint"`
	Admission []byte `cbor:"2,keyasint"`
	// Entries is that person's log once it admits the offered device.
	Entries [][]byte `cbor:"3,keyasint,omitempty"`
	Name    string   `cbor:"4,keyasint,omitempty"`
}

// PublishKeyPackages adds to the caller's stock of single-use key packages and
// replaces its last-resort one if given.
var PublishKeyPackages = Endpoint[PublishKeyPackagesRequest, KeyPackageStatus]{Name: "keys/publish"}

type PublishKeyPackagesRequest struct {
	KeyPackages [][]byte `cbor:"1,keyasint"` // MLSMessages
	LastResort  []byte   `cbor:"2,keyasint,omitempty"`
}

type KeyPackageStatus struct {
	Left           int  `cbor:"1,keyasint"`
	LastResortUsed bool `cbor:"2,keyasint"` // make a new one
	// Time is the server's, by which lifetimes are judged.
	Time int64 `cbor:"3,keyasint,omitempty"`
}

// CheckKeyPackages tells how many are left.
var CheckKeyPackages = Endpoint[Empty, KeyPackageStatus]{Name: "keys/check"}

// ClaimKeyPackages takes one key package for every active device of each user,
// or fails and takes none. Limited for each claimer and each target.
var ClaimKeyPackages = Endpoint[ClaimKeyPackagesRequest, ClaimKeyPackagesResponse]{Name: "keys/claim"}

type ClaimKeyPackagesRequest struct {
	Users   []UserID   `cbor:"1,keyasint"`
	Devices []DeviceID `cbor:"2,keyasint,omitempty"` // only these of the users' devices
}

type ClaimKeyPackagesResponse struct {
	KeyPackages []ClaimedKeyPackage `cbor:"1,keyasint"`
}

type ClaimedKeyPackage struct {
	User       UserID   `cbor:"1,keyasint"`
	Device     DeviceID `cbor:"2,keyasint"`
	KeyPackage []byte   `cbor:"3,keyasint"`
}
