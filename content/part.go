package content

import "github.com/fxamacker/cbor/v2"

// Part is a body, or a part of one: MIMI's NestedPart. A Part without payload is
// MIMI's NullPart, which deletes.
type Part struct {
	Disposition Disposition
	Language    string // RFC 5646 tags, separated by commas; may be empty
	Payload     Payload
}

// Payload is a [Single], an [External], a [Multi], or nil.
type Payload interface {
	cardinality() uint64
}

// Disposition says what a part is for. Values from 9 to 255 may be given a
// meaning later and count as Render until then.
type Disposition byte

const (
	Unspecified Disposition = iota
	Render
	Reacting
	Profile
	Inline
	Icon
	Attachment
	Session
	Preview
)

// Single is content that is inside the message.
type Single struct {
	ContentType string // a media type with its parameters
	Data        []byte
}

// External is content that is elsewhere, most often encrypted under Key.
type External struct {
	ContentType string
	URL         string
	Expires     uint32 // seconds since 1970; 0 for never
	Size        uint64 // bytes; 0 for unknown
	EncAlg      uint16 // IANA AEAD number; 0 for content in the clear
	Key         Secret
	Nonce       []byte
	AAD         []byte
	HashAlg     uint8 // IANA named information hash; 0 for none
	ContentHash []byte
	Description string
	Filename    string
}

// Multi is two or more parts and how they belong together.
type Multi struct {
	Semantics Semantics
	Parts     []Part
}

// Semantics says what a receiver does with the parts of a [Multi].
type Semantics byte

const (
	ChooseOne  Semantics = iota // take the one it likes best
	SingleUnit                  // take all or none
	ProcessAll                  // take as many as it can
)

const (
	cardinalityNull = iota
	cardinalitySingle
	cardinalityExternal
	cardinalityMulti
)

func (Single) cardinality() uint64   { return cardinalitySingle }
func (External) cardinality() uint64 { return cardinalityExternal }
func (Multi) cardinality() uint64    { return cardinalityMulti }

// items returns the part as the library encodes it. The depth guards against
// parts that contain themselves; all other rules are parse's.
func (p Part) items(depth int) ([]any, error) {
	if depth == 0 {
		return nil, &LimitError{What: "message", Size: MaxDepth + 1, Max: MaxDepth, Unit: "levels of parts"}
	}
	head := []any{uint64(p.Disposition), p.Language}
	switch b := p.Payload.(type) {
	case nil:
		return append(head, uint64(cardinalityNull)), nil
	case Single:
		return append(head, b.cardinality(), b.ContentType, notNil(b.Data)), nil
	case External:
		return append(head, b.cardinality(), b.ContentType, b.URL, b.Expires, b.Size,
			b.EncAlg, notNil(b.Key), notNil(b.Nonce), notNil(b.AAD),
			b.HashAlg, notNil(b.ContentHash), b.Description, b.Filename), nil
	case Multi:
		parts := make([]any, len(b.Parts))
		for i, child := range b.Parts {
			items, err := child.items(depth - 1)
			if err != nil {
				return nil, err
			}
			parts[i] = items
		}
		return append(head, b.cardinality(), uint64(b.Semantics), parts), nil
	}
	return nil, malformed("payload of type %T", p.Payload) // a pointer to one of ours
}

// readPart reads a part of at most depth levels and takes each part it meets
// from the budget.
func readPart(raw cbor.RawMessage, depth int, budget *int) (Part, error) {
	if depth == 0 {
		return Part{}, &LimitError{What: "message", Size: MaxDepth + 1, Max: MaxDepth, Unit: "levels of parts"}
	}
	if *budget--; *budget < 0 {
		return Part{}, &LimitError{What: "message", Size: MaxParts + 1, Max: MaxParts, Unit: "parts"}
	}
	l := readList("part", raw)
	p := Part{
		Disposition: Disposition(l.uint("disposition", 255)),
		Language:    l.text("language", maxToken),
	}
	cardinality := l.uint("cardinality", cardinalityMulti)
	if l.err != nil {
		return Part{}, l.err
	}
	var err error
	switch cardinality {
	case cardinalitySingle:
		p.Payload, err = readSingle(l, p.Disposition)
	case cardinalityExternal:
		p.Payload, err = readExternal(l)
	case cardinalityMulti:
		p.Payload, err = readMulti(l, depth, budget)
	default:
		err = l.end()
	}
	if err != nil {
		return Part{}, err
	}
	return p, nil
}

func readSingle(l *list, d Disposition) (Single, error) {
	s := Single{ContentType: l.text("content type", maxToken)}
	s.Data = l.bytes("content", MaxMessage)
	if l.err == nil && mediaTypeOf(s.ContentType).isText() {
		if d == Reacting {
			l.err = limit("reaction", "bytes", len(s.Data), MaxEmoji)
		} else {
			l.err = limit("text", "bytes", len(s.Data), MaxText)
		}
	}
	return s, l.end()
}

func readExternal(l *list) (External, error) {
	e := External{
		ContentType: l.text("content type", maxToken),
		URL:         l.text("URL", maxURI),
		Expires:     uint32(l.uint("expiry", 1<<32-1)),
		Size:        l.uint("size", 1<<64-1),
		EncAlg:      uint16(l.uint("encryption algorithm", 1<<16-1)),
		Key:         l.bytes("key", 64),
		Nonce:       l.bytes("nonce", 64),
		AAD:         l.bytes("additional data", 1024),
		HashAlg:     uint8(l.uint("hash algorithm", 255)),
		ContentHash: l.bytes("content hash", 64),
		Description: l.text("description", 4096),
		Filename:    l.text("file name", maxToken),
	}
	// Draft, "External content": without encryption there is no key.
	if l.err == nil && e.EncAlg == 0 && len(e.Key)+len(e.Nonce)+len(e.AAD) > 0 {
		l.err = malformed("external part has a key and no algorithm")
	}
	return e, l.end()
}

func readMulti(l *list, depth int, budget *int) (Multi, error) {
	m := Multi{Semantics: Semantics(l.uint("part semantics", uint64(ProcessAll)))}
	raw := l.raw("parts")
	if err := l.end(); err != nil {
		return Multi{}, err
	}
	parts := readList("parts", raw)
	if parts.err != nil {
		return Multi{}, parts.err
	}
	if len(parts.rest) < 2 {
		return Multi{}, malformed("multipart of %d parts", len(parts.rest))
	}
	m.Parts = make([]Part, len(parts.rest))
	for i, raw := range parts.rest {
		var err error
		if m.Parts[i], err = readPart(raw, depth-1, budget); err != nil {
			return Multi{}, err
		}
	}
	return m, nil
}
