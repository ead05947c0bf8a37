package content

// Media types of what we send and show.
const (
	TypeMarkdown = "text/markdown;variant=GFM-MIMI"
	TypePlain    = "text/plain;charset=utf-8"
	TypeRoom     = "application/vnd.sconce.room+cbor"
	TypeSelf     = "application/vnd.sconce.self+cbor"
	TypeReport   = "application/vnd.sconce.report+cbor"
)

// Text returns a message with a fresh salt. The source is Markdown and travels
// as it is; screens draw any HTML in it as plain text (draft, "Specifics of
// GitHub Flavored Markdown in MIMI").
func Text(source string) *Message {
	return &Message{Salt: NewSalt(), Body: single(Render, TypeMarkdown, []byte(source))}
}

// Reply answers the message target, in the version that the writer saw.
func Reply(target ID, source string) *Message {
	m := Text(source)
	m.InReplyTo = target
	return m
}

// Edit gives target a new text. The target is the message's first version, and
// must be the sender's own or receivers refuse.
func Edit(target ID, source string) *Message {
	m := Text(source)
	m.Replaces = target
	return m
}

// Delete takes target back: its first version, like [Edit].
func Delete(target ID) *Message {
	return &Message{Salt: NewSalt(), Replaces: target, Body: Part{Disposition: Render}}
}

// Reaction puts one emoji of at most [MaxEmoji] bytes under target. Each emoji is
// a message of its own, which [Unreact] takes back.
func Reaction(target ID, emoji string) *Message {
	return &Message{Salt: NewSalt(), InReplyTo: target, Body: single(Reacting, TypePlain, []byte(emoji))}
}

// Unreact takes back the reaction that was given to target.
func Unreact(target, reaction ID) *Message {
	return &Message{
		Salt: NewSalt(), Replaces: reaction, InReplyTo: target,
		Body: Part{Disposition: Reacting},
	}
}

// Room announces a room's name and settings to its members.
func Room(state *RoomState) (*Message, error) {
	raw, err := state.Encode()
	if err != nil {
		return nil, err
	}
	return &Message{Salt: NewSalt(), Body: single(Profile, TypeRoom, raw)}, nil
}

// Self tells one's own other devices. It belongs in the self-group only.
func Self(notes ...Note) (*Message, error) {
	raw, err := EncodeNotes(notes)
	if err != nil {
		return nil, err
	}
	return &Message{Salt: NewSalt(), Body: single(Unspecified, TypeSelf, raw)}, nil
}

func single(d Disposition, contentType string, data []byte) Part {
	return Part{Disposition: d, Payload: Single{ContentType: contentType, Data: data}}
}
