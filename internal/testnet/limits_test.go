package testnet

import (
	"fmt"
	"testing"

	"sconce/client"
)

// What one person puts under a message is limited, on every device alike.
func TestReactionsOfOnePersonAreLimited(t *testing.T) {
	run(t, 57, func(t *testing.T, n *Net) {
		alice, mal := n.Person("alice"), n.Person("mal")
		n.MustQuiet()
		room := n.room("tea", alice, mal)
		alice.say(room, "hello")
		n.MustQuiet()
		hello, _ := line(t, mal, room, "hello")
		for i := range 25 {
			if err := mal.Client.React(room, hello.ID, string(rune(0x1F600+i))); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		if err := alice.Client.React(room, hello.ID, "👍"); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, mal} {
			if m, _ := line(t, d, room, "hello"); len(m.Reactions) != 21 {
				t.Errorf("%s shows %d reactions, want 20 of mal's and alice's", d.Name, len(m.Reactions))
			}
		}
	})
}

// counted is a store that counts the rows it hands over.
type counted struct {
	client.Store
	rows *int
}

func (s counted) Scan(start, end []byte, fn func(k, v []byte) error) error {
	return s.Store.Scan(start, end, func(k, v []byte) error {
		*s.rows++
		return fn(k, v)
	})
}

// Every event of a room counts what is unread in it, so that must not cost more
// the longer the room has been there.
func TestCountingUnreadDoesNotReadTheRoom(t *testing.T) {
	run(t, 58, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Blank("bob", "bob/1")
		rows := 0
		bob.OnStore = func(s client.Store) client.Store { return counted{s, &rows} }
		n.Join(bob)
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		bob.tellNothing()
		cost := func() int {
			rows = 0
			if v := viewOf(t, bob, room); v.Unread != 3 {
				t.Fatalf("%d are unread, want 3", v.Unread)
			}
			return rows
		}
		talk := func(messages int) {
			for i := range messages {
				alice.queue(room, client.Draft{Text: fmt.Sprint(messages, " ", i)})
			}
			alice.MustSync()
			bob.MustSync()
			if err := bob.Client.View(room, viewOf(t, bob, room).Last-3); err != nil {
				t.Fatal(err)
			}
		}
		talk(5)
		short := cost()
		talk(300)
		if long := cost(); long > short {
			t.Errorf("with 300 more messages that were read, the count reads %d rows instead of %d", long, short)
		}
	})
}
