package content

import "github.com/fxamacker/cbor/v2"

// Extensions are the extra fields of a message. A field at its zero value is
// absent.
type Extensions struct {
	SenderURI string // MIMI key 1; checked by [Message.ID], never believed
	RoomURI   string // MIMI key 2; likewise

	Expire uint32 // seconds; see [Timers]
	Burn   uint32 // seconds; see [Timers]

	// Unknown holds the fields of other programs as raw CBOR, so that a message
	// we decode keeps its bytes and its ID. Arrays in it have at most 256 items,
	// maps 64, and both nest at most 3 deep.
	Unknown map[Key]cbor.RawMessage
}

// Our own extension keys. Negative integers are for private use (draft,
// "Extension Fields"); this block is far from -1, where everyone else's starts.
const (
	// KeyExpire holds uint32 seconds from the server's stamp or from receipt.
	KeyExpire = -0x5C02
	// KeyBurn holds uint32 seconds from the first view.
	KeyBurn = -0x5C03

	keySender = 1
	keyRoom   = 2
)

// Key is the key of an extension: an integer, or a text of 1 to 255 bytes.
type Key struct {
	number int64
	text   string
}

// IntKey returns an integer key. Positive ones are IANA's to give.
func IntKey(n int64) Key { return Key{number: n} }

// TextKey returns a text key.
func TextKey(s string) Key { return Key{text: s} }

func (k Key) item() any {
	if k.text != "" {
		return k.text
	}
	return k.number
}

// known reports whether the key has a field of its own in Extensions.
func (k Key) known() bool {
	if k.text != "" {
		return false
	}
	switch k.number {
	case keySender, keyRoom, KeyExpire, KeyBurn:
		return true
	}
	return false
}

func (x *Extensions) items() (map[any]any, error) {
	m := make(map[any]any, 5+len(x.Unknown))
	for key, value := range x.Unknown {
		if key.known() {
			return nil, malformed("extension %v belongs in its own field", key.item())
		}
		m[key.item()] = value
	}
	if x.SenderURI != "" {
		m[keySender] = x.SenderURI
	}
	if x.RoomURI != "" {
		m[keyRoom] = x.RoomURI
	}
	if x.Expire != 0 {
		m[KeyExpire] = x.Expire
	}
	if x.Burn != 0 {
		m[KeyBurn] = x.Burn
	}
	return m, nil
}

func readExtensions(raw cbor.RawMessage) (Extensions, error) {
	var x Extensions
	if raw[0]>>5 != majorMap {
		return x, malformed("extensions are not a map")
	}
	// The map counts as one of the levels (draft, "Depth restrictions").
	if err := checkStrict(raw, MaxDepth); err != nil {
		return x, err
	}
	w := walker{rest: raw}
	_, n, err := w.head()
	if err != nil {
		return x, err
	}
	if n > maxExtensions {
		return x, &LimitError{What: "message", Size: n, Max: maxExtensions, Unit: "extensions"}
	}
	rest := w.rest
	for range n {
		var key, value cbor.RawMessage
		if rest, err = decMode.UnmarshalFirst(rest, &key); err == nil {
			rest, err = decMode.UnmarshalFirst(rest, &value)
		}
		if err != nil {
			return x, malformed("extensions: %v", err)
		}
		if err := x.set(key, value); err != nil {
			return x, err
		}
	}
	return x, nil
}

// set keeps one extension in the field it belongs to.
func (x *Extensions) set(rawKey, value cbor.RawMessage) error {
	key, err := readKey(rawKey)
	if err != nil {
		return err
	}
	if !key.known() {
		if x.Unknown == nil {
			x.Unknown = make(map[Key]cbor.RawMessage)
		}
		x.Unknown[key] = value
		return nil
	}
	l := &list{of: "extensions", rest: []cbor.RawMessage{value}}
	empty := false
	switch key.number {
	case keySender:
		x.SenderURI = l.text("sender URI", maxURI)
		empty = x.SenderURI == ""
	case keyRoom:
		x.RoomURI = l.text("room URI", maxURI)
		empty = x.RoomURI == ""
	case KeyExpire:
		x.Expire = uint32(l.uint("expire", MaxTimer))
		empty = x.Expire == 0
	case KeyBurn:
		x.Burn = uint32(l.uint("burn", MaxTimer))
		empty = x.Burn == 0
	}
	if err := l.end(); err != nil {
		return err
	}
	if empty {
		return malformed("extension %d is empty", key.number) // absent is the one way to say so
	}
	return nil
}

func readKey(raw cbor.RawMessage) (Key, error) {
	switch raw[0] >> 5 {
	case majorUint, majorNegative: // checkStrict has seen that it fits
		var n int64
		if err := decMode.Unmarshal(raw, &n); err != nil {
			return Key{}, malformed("extension key: %v", err)
		}
		return IntKey(n), nil
	case majorText:
		var s string
		if err := decMode.Unmarshal(raw, &s); err != nil {
			return Key{}, malformed("extension key: %v", err)
		}
		if s == "" || len(s) > maxToken {
			return Key{}, malformed("extension key of %d bytes", len(s))
		}
		return TextKey(s), nil
	}
	return Key{}, malformed("extension key is neither a number nor text")
}
