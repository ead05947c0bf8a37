package content

import "time"

// Timers say when a message goes. Zero is off, and the earliest one wins.
//
// MIMI has a single field with either a date or a time to live after reading.
// The second means what Burn means; Expire has no counterpart, because it counts
// from the server's stamp, which no sender knows beforehand.
type Timers struct {
	Expire uint32 // seconds from the server's stamp, or from receipt if that is earlier
	Burn   uint32 // seconds from the first view; for the sender, from sending
	At     uint32 // a date, in seconds since 1970
}

// SetTimers writes the timers: Expire and Burn as our extensions, and as much as
// fits in MIMI's own field for programs that do not know those. There a date
// goes before Burn.
func (m *Message) SetTimers(t Timers) {
	m.Expire, m.Burn = t.Expire, t.Burn
	switch {
	case t.At != 0:
		m.Expires = Expiration{AtTime, t.At}
	case t.Burn != 0:
		m.Expires = Expiration{AfterRead, t.Burn}
	default:
		m.Expires = Expiration{}
	}
}

// Timers reads both MIMI's field and our extensions.
func (m *Message) Timers() Timers {
	t := Timers{Expire: m.Expire, Burn: m.Burn}
	switch m.Expires.When {
	case AfterRead:
		t.Burn = soonest(t.Burn, max(m.Expires.Seconds, 1)) // 0 here means at once, not off
	case AtTime:
		t.At = max(m.Expires.Seconds, 1)
	}
	return t
}

func soonest(a, b uint32) uint32 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Deadline returns when the message goes, and false if it stays. Stamp is the
// server's time, received the local time of arrival, and viewed the first view
// on any of the reader's devices, zero before that. A caller that has persisted
// an earlier deadline keeps it.
func (t Timers) Deadline(stamp, received, viewed time.Time) (time.Time, bool) {
	var at time.Time
	earlier := func(start time.Time, seconds uint32) {
		end := start.Add(time.Duration(seconds) * time.Second)
		if at.IsZero() || end.Before(at) {
			at = end
		}
	}
	if t.Expire != 0 {
		earlier(stamp, t.Expire)
		earlier(received, t.Expire)
	}
	if t.Burn != 0 && !viewed.IsZero() {
		earlier(viewed, t.Burn)
	}
	if t.At != 0 {
		earlier(time.Unix(0, 0), t.At)
	}
	return at, !at.IsZero()
}

// CheckDate refuses a message whose MIMI date is more than a year from the
// server's stamp in either direction, which no honest sender writes (draft,
// "General handling").
func (m *Message) CheckDate(stamp time.Time) error {
	if m.Expires.When != AtTime {
		return nil
	}
	if away := time.Unix(int64(m.Expires.Seconds), 0).Sub(stamp).Abs(); away > MaxTimer*time.Second {
		return malformed("expires %d days from when it was sent", away/(24*time.Hour))
	}
	return nil
}
