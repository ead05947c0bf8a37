package content

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says what a screen does with a message.
type Kind string

const (
	KindText        Kind = "text"
	KindReply       Kind = "reply"
	KindEdit        Kind = "edit"
	KindDelete      Kind = "delete"
	KindReaction    Kind = "reaction"
	KindUnreact     Kind = "unreact"
	KindRoomState   Kind = "roomState"
	KindSelf        Kind = "self"
	KindReport      Kind = "report"
	KindUnsupported Kind = "unsupported"
)

// Format says how Text is meant to be drawn.
type Format string

const (
	FormatPlain    Format = "plain"
	FormatMarkdown Format = "markdown"
)

// Warning is something a screen points out beside a message.
type Warning string

const (
	// WarnDirection: the text has characters that turn the reading order around,
	// so that it may read otherwise than it is.
	WarnDirection Warning = "direction"
	// WarnAlternatives: the sender offered a choice, and other people may see
	// something else (draft, "Alternate content rendering").
	WarnAlternatives Warning = "alternatives"
)

// View is a message as a screen needs it. Strings are the sender's, unchanged.
type View struct {
	Kind Kind

	// Target is the message that this one replies or reacts to, edits or deletes;
	// for KindUnreact it is the reaction that is taken back. Before it edits,
	// deletes or takes back, the caller must check that the same user wrote both
	// (draft, "Rendering and authorization of edits and deletes").
	Target ID

	Text   string // of KindText, KindReply and KindEdit
	Format Format
	Emoji  []string // of KindReaction, and of KindEdit when it changes a reaction

	Room *RoomState // of KindRoomState; unproven, see [DecodeRoomState]
	Self []Note     // of KindSelf; void outside the self-group, see [Note]

	Report *Report // of KindReport

	// Unsupported is a sentence about what is not shown. It is set for
	// KindUnsupported, and for others when a part of the message is left out.
	Unsupported string
	Warnings    []Warning
}

// View interprets the message. It never fails: what it cannot show it names.
func (m *Message) View() View {
	v := m.settings()
	if v.Kind == "" {
		v = m.conversation()
	}
	strs := append([]string{v.Text}, v.Emoji...)
	if v.Room != nil {
		strs = append(strs, v.Room.Name, v.Room.Description)
	}
	if slices.ContainsFunc(strs, turnsAround) {
		v.Warnings = append(v.Warnings, WarnDirection)
	}
	return v
}

// turnsAround looks for the explicit embeddings, overrides and isolates of the
// Unicode bidirectional algorithm. Marks such as U+200F are ordinary in
// right-to-left writing and reorder nothing by themselves.
func turnsAround(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069'
	})
}

// settings handles our own payloads, which are whole messages by
// themselves and never a part of one.
func (m *Message) settings() View {
	s, ok := m.Body.Payload.(Single)
	if !ok {
		return View{}
	}
	var v View
	var err error
	switch mediaTypeOf(s.ContentType).name {
	case TypeRoom:
		v.Kind = KindRoomState
		v.Room, err = DecodeRoomState(s.Data)
	case TypeSelf:
		v.Kind = KindSelf
		v.Self, err = DecodeNotes(s.Data)
	case TypeReport:
		v.Kind = KindReport
		v.Report, err = DecodeReport(s.Data)
	}
	if err != nil {
		return unsupported(ID{}, "settings that this version cannot read")
	}
	return v
}

func (m *Message) conversation() View {
	if m.Body.Payload == nil {
		return m.retraction()
	}
	target := m.InReplyTo
	if !m.Replaces.IsZero() {
		target = m.Replaces
	}
	s := show(m.Body)
	v := View{Target: target}
	if s.alternatives {
		v.Warnings = []Warning{WarnAlternatives}
	}
	reaction := m.Body.Disposition == Reacting
	switch {
	case len(s.texts) == 0 || reaction && slices.ContainsFunc(s.texts, notEmoji):
		if len(s.missing) == 0 {
			s.missing = []string{"a reaction"}
		}
		u := unsupported(target, s.missing...)
		u.Warnings = v.Warnings
		return u
	case reaction && target.IsZero():
		return unsupported(target, "a reaction to no message")
	case reaction:
		v.Kind, v.Emoji = KindReaction, s.texts
	default:
		v.Kind, v.Text, v.Format = KindText, strings.Join(s.texts, "\n\n"), s.format
	}
	switch {
	case !m.Replaces.IsZero():
		v.Kind = KindEdit
	case v.Kind == KindText && !m.InReplyTo.IsZero():
		v.Kind = KindReply
	}
	if len(s.missing) > 0 {
		v.Unsupported = sentence(s.missing)
	}
	return v
}

// retraction handles a body without parts, which takes back what it replaces.
func (m *Message) retraction() View {
	switch {
	case m.Replaces.IsZero():
		return unsupported(m.InReplyTo, "an empty message")
	case m.Body.Disposition == Reacting:
		return View{Kind: KindUnreact, Target: m.Replaces}
	}
	return View{Kind: KindDelete, Target: m.Replaces}
}

func notEmoji(s string) bool { return s == "" || len(s) > MaxEmoji }

func unsupported(target ID, missing ...string) View {
	return View{Kind: KindUnsupported, Target: target, Unsupported: sentence(missing)}
}

func sentence(missing []string) string {
	const most = 3
	more := ""
	if len(missing) > most {
		more = fmt.Sprintf(" and %d more", len(missing)-most)
		missing = missing[:most]
	}
	return "not shown yet: " + strings.Join(missing, ", ") + more
}
