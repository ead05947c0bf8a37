package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sconce/client"
)

// timeline is the room on the screen: what was said, and which part of it is
// seen.
type timeline struct {
	all                 []client.MessageView // the oldest first; what waits to be sent last
	loaded              bool
	whole               bool   // there is nothing older
	reading             bool   // older ones are on their way
	fresh               string // key of the first message that is new; "" none
	unread, firstUnread int    // when the room was opened
	seen                int    // up to here it was told that the person has seen the room

	bottom string // key of the message that the screen ends with; "" the newest
	cut    int    // so many of that message's lines are below the screen
	chosen string // key of the message that the person has chosen; "" none
}

// keyOf tells messages apart. What the room says of itself has no id, but a
// place.
func keyOf(m client.MessageView) string {
	if strings.Trim(m.ID, "0") != "" {
		return m.ID
	}
	return fmt.Sprint(m.Seq)
}

// aside reports whether a line is the room's own, not a person's.
func aside(m client.MessageView) bool { return m.Kind == "notice" || m.Kind == "gap" }

// take replaces all by what was read.
func (t *timeline) take(all []client.MessageView, limit int) {
	first := !t.loaded
	t.all, t.loaded, t.whole = all, true, len(all) < limit
	if first {
		t.divide()
	}
}

// older adds what came before.
func (t *timeline) older(all []client.MessageView, limit int) {
	t.reading, t.whole = false, len(all) < limit
	for _, m := range all {
		t.put(m)
	}
}

// divide finds the first message that was not read yet.
func (t *timeline) divide() {
	i := slices.IndexFunc(t.all, func(m client.MessageView) bool {
		return m.Seq >= t.firstUnread && !m.Mine && !aside(m)
	})
	if t.unread > 0 && t.firstUnread > 0 && i >= 0 {
		t.fresh = keyOf(t.all[i])
	}
}

// openAt begins with the first message that is new, where there are more than the
// screen holds: what was never on it has not been seen.
func (t *timeline) openAt(rows []row, height int) {
	first := slices.IndexFunc(rows, func(r row) bool { return r.key != "" && r.key == t.fresh })
	if from, _ := t.window(rows, height); first >= 0 && first <= from {
		t.end(rows, min(max(first-1, 0)+height, len(rows))) // the line that says "new" stands above it
	}
}

func (t *timeline) index(key string) int {
	return slices.IndexFunc(t.all, func(m client.MessageView) bool { return keyOf(m) == key })
}

func (t *timeline) message(key string) *client.MessageView {
	if i := t.index(key); i >= 0 {
		return &t.all[i]
	}
	return nil
}

// place orders messages: those in the log by their place there, then those that
// wait.
func place(m client.MessageView) int {
	if m.Seq == 0 {
		return 1 << 50
	}
	return m.Seq
}

// put takes a message that is new, or has changed.
func (t *timeline) put(m client.MessageView) {
	if i := t.index(keyOf(m)); i >= 0 {
		if t.all[i].Seq == m.Seq {
			t.all[i] = m
			return
		}
		t.all = slices.Delete(t.all, i, i+1)
	}
	at, _ := slices.BinarySearchFunc(t.all, m, func(a, b client.MessageView) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), -1) // after its equals, as they came
	})
	t.all = slices.Insert(t.all, at, m)
}

// drop takes a message away.
func (t *timeline) drop(key string) {
	i := t.index(key)
	if i < 0 {
		return
	}
	t.all = slices.Delete(t.all, i, i+1)
	after := ""
	if i < len(t.all) {
		after = keyOf(t.all[i])
	}
	if t.fresh == key {
		t.fresh = after
	}
	if t.chosen == key {
		t.chosen = after
	}
	if t.bottom == key {
		t.bottom, t.cut = after, 0
	}
}

// sweep takes away what is over, and names it: the screen does not wait to be
// told.
func (t *timeline) sweep(now time.Time) (swept []string) {
	for _, m := range t.all {
		if over(m, now) {
			swept = append(swept, keyOf(m))
		}
	}
	for _, key := range swept {
		t.drop(key)
	}
	return swept
}

func over(m client.MessageView, now time.Time) bool {
	return m.Expires > 0 && int64(m.Expires) <= now.UnixMilli()
}

// unread reports whether a message waits to be read to begin to burn. Until then
// it is shown on the timeline alone, where that counts as reading.
func unread(m client.MessageView) bool { return m.Burn > 0 && m.Expires == 0 && !m.Mine }

// row is one line of the timeline on the screen.
type row struct {
	text string
	key  string // of the message that it belongs to
	seq  int
	last bool // of that message
}

// window gives the rows that are seen, and the place of the first and the one
// after the last among all.
func (t *timeline) window(rows []row, height int) (from, to int) {
	to = len(rows)
	if t.bottom != "" {
		if i := lastRow(rows, t.bottom); i >= 0 {
			to = i + 1 - t.cut
		}
	}
	to = min(max(to, min(height, len(rows))), len(rows))
	return max(0, to-height), to
}

func lastRow(rows []row, key string) int {
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].key == key && rows[i].last {
			return i
		}
	}
	return -1
}

// end makes the screen end before the row at that place.
func (t *timeline) end(rows []row, to int) {
	if to >= len(rows) {
		t.bottom, t.cut = "", 0
		return
	}
	key := ""
	for i := max(to, 1) - 1; i < len(rows); i++ { // a separator belongs to what comes after it
		if rows[i].key != "" {
			key = rows[i].key
			break
		}
	}
	if i := lastRow(rows, key); i >= 0 {
		t.bottom, t.cut = key, i+1-to
		return
	}
	t.bottom, t.cut = "", 0
}

// scroll moves what is seen, up for less than 0.
func (t *timeline) scroll(rows []row, height, by int) {
	_, to := t.window(rows, height)
	t.end(rows, max(to+by, min(height, len(rows))))
}

// reveal moves what is seen so that all of a message is.
func (t *timeline) reveal(rows []row, height int, key string) {
	first := slices.IndexFunc(rows, func(r row) bool { return r.key == key })
	last := lastRow(rows, key)
	if first < 0 || last < 0 {
		return
	}
	from, to := t.window(rows, height)
	switch {
	case last >= to:
		t.end(rows, last+1)
	case first < from:
		t.end(rows, min(first+height, len(rows)))
	}
}

// upTo gives the place of the newest message that is seen to its end.
func (t *timeline) upTo(rows []row, height int) (seq int) {
	_, to := t.window(rows, height)
	for _, r := range rows[:to] {
		if r.last {
			seq = max(seq, r.seq)
		}
	}
	return seq
}

// unseen reports whether anything up to a place waits to be seen.
func (t *timeline) unseen(seq int) bool {
	return slices.ContainsFunc(t.all, func(m client.MessageView) bool {
		return !m.Mine && m.Seq > t.seen && m.Seq <= seq
	})
}
