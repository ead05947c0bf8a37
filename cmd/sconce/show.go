package main

import (
	"fmt"
	"strings"
	"time"

	"sconce/client"
	"sconce/cmd/sconce/plain"
)

// printJSON prints a value as one line.
func (a *app) printJSON(v any) error {
	b, err := plain.JSON(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// printAll prints a list as one line for each.
func printAll[T any](a *app, all []T) error {
	for _, v := range all {
		if err := a.printJSON(v); err != nil {
			return err
		}
	}
	return nil
}

// dim makes what is less important so, on a terminal.
func (a *app) dim(s string) string {
	if !a.colour {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

func (a *app) bold(s string) string {
	if !a.colour {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// timeline prints messages in columns: the time, the id, who, what. The names'
// column grows as it must.
type timeline struct {
	a     *app
	now   func() time.Time
	names int    // columns of the longest name so far
	day   string // of the last line
	room  string // of the last line
}

// longestName is where a name begins to push its own line aside instead of all.
const longestName = 20

func (t *timeline) print(all ...client.MessageView) {
	for _, m := range all {
		t.names = max(t.names, min(width(speaker(m)), longestName))
	}
	for _, m := range all {
		t.message(m)
	}
}

func (t *timeline) message(m client.MessageView) {
	at := time.UnixMilli(int64(m.Time)).In(t.now().Location())
	if day := at.Format("Monday, 2 January 2006"); day != t.day {
		t.day = day
		fmt.Fprintln(t.a.out, t.a.dim(day))
	}
	head := pad(speaker(m), t.names)
	indent := strings.Repeat(" ", len("15:04  ")+len("01234567  ")+width(head)+len("  "))
	body := strings.Split(t.body(m), "\n")
	fmt.Fprintf(t.a.out, "%s  %s  %s  %s\n", t.a.dim(at.Format("15:04")), t.a.dim(pad(plain.Short(idOf(m)), len("01234567"))), t.a.bold(head), body[0])
	for _, line := range body[1:] {
		fmt.Fprintln(t.a.out, strings.TrimRight(indent+line, " "))
	}
}

// speaker is who said a message: nobody, where the room speaks of itself.
func speaker(m client.MessageView) string {
	if m.Kind == "notice" || m.Kind == "gap" {
		return ""
	}
	return plain.Name(m.Name)
}

// idOf gives a message's id, or nothing for what the room says of itself, whose
// id is zero.
func idOf(m client.MessageView) string {
	if strings.Trim(m.ID, "0") == "" {
		return ""
	}
	return m.ID
}

// body is what a message says, with what is to be known of it.
func (t *timeline) body(m client.MessageView) string {
	text := strings.TrimRight(plain.Lines(plain.Mentions(m)), "\n")
	switch {
	case m.Deleted:
		text = "(deleted)"
	case m.Kind == "notice", m.Kind == "gap":
		text = "* " + text
	case m.Kind == "unreadable" && text == "":
		text = "(a message that this device can't read)"
	}
	if m.ReplyTo != "" {
		text = "(to " + plain.Short(m.ReplyTo) + ") " + text
	}
	for _, note := range t.notes(m) {
		text += " (" + note + ")"
	}
	var reactions []string
	for _, r := range m.Reactions {
		reactions = append(reactions, fmt.Sprintf("%s %d", plain.Line(r.Emoji), len(r.By)))
	}
	if reactions != nil {
		text += "\n" + strings.Join(reactions, "  ")
	}
	return text
}

func (t *timeline) notes(m client.MessageView) (notes []string) {
	if m.Edited && !m.Deleted {
		notes = append(notes, "edited")
	}
	switch m.State {
	case client.Queued:
		notes = append(notes, "queued")
	case client.Failed:
		notes = append(notes, "not sent")
	case client.Unknown:
		notes = append(notes, "not known whether it was sent")
	}
	if m.Problem != "" {
		notes = append(notes, plain.Line(m.Problem))
	}
	for _, w := range m.Warnings {
		notes = append(notes, "warning: "+plain.Line(w))
	}
	switch {
	case m.Expires > 0:
		left := time.UnixMilli(int64(m.Expires)).Sub(t.now()).Round(time.Second)
		notes = append(notes, "gone in "+plain.Left(max(left, time.Second)))
	case m.Burn > 0:
		notes = append(notes, "burns "+plain.Timer(m.Burn)+" after it is read")
	}
	return notes
}

// heading names the room of the lines that follow, when it is another than
// before.
func (t *timeline) heading(room, name string) {
	if t.room == room {
		return
	}
	t.room, t.day = room, ""
	fmt.Fprintln(t.a.out, t.a.bold(plain.Name(name)))
}
