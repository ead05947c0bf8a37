package testnet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sconce/api"
	"sconce/client"
	"sconce/content"
)

// summary is what a list of rooms shows, as the timeline says that it should be.
type summary struct {
	Unread, Mentions, First int
	Last                    string
}

func summaryOf(t *testing.T, d *Device, room string, read int) (s summary) {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if !m.Deleted && (m.Kind == "text" || m.Kind == "reply") {
			s.Last = m.Text
		}
		if m.Mine || m.Deleted || m.Kind == "notice" || m.Kind == "gap" || m.Seq <= read {
			continue
		}
		if s.Unread++; s.First == 0 {
			s.First = m.Seq
		}
		if m.MentionsMe {
			s.Mentions++
		}
	}
	return s
}

// Whatever happens in a room, its line in the list says what its timeline does.
func TestListOfRoomsAgreesWithTheTimeline(t *testing.T) {
	for seed := range uint64(8) {
		run(t, 100+seed, func(t *testing.T, n *Net) {
			random := rand.New(rand.NewPCG(seed, 3))
			alice, bob := n.Person("alice"), n.Person("bob")
			phone := n.mustLink(bob, "bob/2")
			n.MustQuiet()
			room := n.room("tea", alice, bob)
			me := bob.Client.Me()
			mention := client.Mention(me.Network, me.User, "Bobby")
			if seed%2 == 1 {
				mention = client.MentionAll(me.Network, room)
			}
			read := 0
			var said []client.MessageView
			for step := range 40 {
				var err error
				switch random.IntN(9) {
				case 0, 1, 2:
					d := client.Draft{Text: fmt.Sprint("message ", step)}
					if random.IntN(3) == 0 {
						d.Text += " for " + mention
					}
					if random.IntN(3) == 0 {
						d.Expire = 30 + random.IntN(120)
					}
					if random.IntN(4) == 0 {
						d.Burn = 20 + random.IntN(60)
					}
					var v client.MessageView
					v, err = alice.Client.Send(room, d)
					said = append(said, v)
				case 3, 4:
					if len(said) == 0 {
						continue
					}
					m := said[random.IntN(len(said))]
					if random.IntN(2) == 0 {
						_ = alice.Client.Delete(room, m.ID) // it may be gone
					} else {
						_ = alice.Client.Edit(room, m.ID, fmt.Sprint("edited in ", step, strings.Repeat(" "+mention, random.IntN(2))))
					}
				case 5:
					read = max(read, viewOf(t, bob, room).Last-random.IntN(3))
					err = bob.Client.View(room, read)
				case 6:
					read = max(read, viewOf(t, phone, room).Last)
					err = phone.Client.View(room, viewOf(t, phone, room).Last)
				case 7:
					_, err = bob.Client.Send(room, client.Draft{Text: fmt.Sprint("bob's ", step), Expire: 60})
				case 8:
					n.Advance(time.Duration(random.IntN(60)) * time.Second)
				}
				if err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				for _, d := range []*Device{alice, bob, phone, bob} {
					d.MustSync()
				}
				if random.IntN(6) == 0 {
					bob.Reopen()
				}
				want := summaryOf(t, bob, room, read)
				v := viewOf(t, bob, room)
				got := summary{Unread: v.Unread, Mentions: v.Mentions, First: v.FirstUnread}
				if v.LastMessage != nil {
					got.Last = v.LastMessage.Text
				}
				if got != want {
					t.Fatalf("seed %d, step %d: the list shows %+v, the timeline %+v", seed, step, got, want)
				}
			}
		})
	}
}

// shownAnywhere is everything that the calls of a device's client show of a room.
func shownAnywhere(t *testing.T, d *Device, room string, ids ...string) string {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := []any{list, viewOf(t, d, room)}
	for _, word := range []string{"canary", "CANARY"} {
		hits, err := d.Client.Search(word, "", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hits)
	}
	for _, id := range ids {
		history, _ := d.Client.History(room, id)
		one, _ := d.Client.Message(room, id)
		all = append(all, history, one)
	}
	rooms, err := d.Client.Rooms()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(append(all, rooms))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What burned is in no list, quote, draft, history or search, and screens are
// told in the same breath.
func TestBurnedIsShownNowhere(t *testing.T) {
	run(t, 61, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		m, err := alice.Client.Send(room, client.Draft{Text: "canary one", Burn: 600})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := alice.Client.Edit(room, m.ID, "canary two"); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		reply, err := bob.Client.Send(room, client.Draft{Text: "an answer", ReplyTo: m.ID})
		if err != nil || reply.Quote == nil || reply.Quote.Text != "canary two" {
			t.Fatalf("bob's answer quotes %+v, %v", reply.Quote, err)
		}
		if err := bob.Client.SetDraft(room, "another answer", m.ID); err != nil {
			t.Fatal(err)
		}
		bob.MustSync()
		if got := shownAnywhere(t, bob, room, m.ID); strings.Count(got, "canary") < 6 {
			t.Fatalf("the control: before it burns, %s", got)
		}
		events, cancel := bob.Client.Subscribe()
		defer cancel()
		if err := bob.Client.View(room, viewOf(t, bob, room).Last); err != nil {
			t.Fatal(err)
		}
		for len(events) > 0 {
			<-events
		}
		n.Clock.Advance(601 * time.Second)
		if got := shownAnywhere(t, bob, room, m.ID); strings.Contains(got, "canary") {
			t.Errorf("bob is shown %s", got)
		}
		gone, again := false, false
		for len(events) > 0 {
			e := <-events
			gone = gone || e.Gone != nil && e.Gone.ID == m.ID
			again = again || e.Message != nil && e.Message.ID == reply.ID && e.Message.Quote.Gone && e.Message.Quote.Text == ""
			if b, _ := json.Marshal(e); strings.Contains(string(b), "canary") {
				t.Errorf("an event after the burn says %s", b)
			}
		}
		if !gone || !again {
			t.Errorf("screens were told: gone %v, the reply without its quote %v", gone, again)
		}
		n.MustQuiet()
		if got := shownAnywhere(t, alice, room, m.ID); strings.Contains(got, "canary") {
			t.Errorf("alice is shown %s", got)
		}
	})
}

// Whoever marks a person as verified sees it in each room, on each of their
// devices, without asking again.
func TestRoomsTellThatAPersonWasVerified(t *testing.T) {
	run(t, 63, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		n.MustQuiet()
		u := bob.Client.Me().User
		for _, verified := range []bool{true, false} {
			want := client.Unverified
			if verified {
				want = client.Verified
			}
			events, cancel := alice.Client.Subscribe()
			if err := alice.Client.MarkVerified(t.Context(), u, verified); err != nil {
				t.Fatal(err)
			}
			told := false
			for len(events) > 0 {
				e := <-events
				if e.Room == nil || e.Room.Room != room {
					continue
				}
				i := slices.IndexFunc(e.Room.Members, func(m client.MemberView) bool { return m.User == u })
				told = told || i >= 0 && e.Room.Members[i].Trust == want
			}
			cancel()
			if !told {
				t.Errorf("no event says that bob is %s", want)
			}
			n.Clock.Advance(time.Second)
		}
	})
}

func TestQuotesFollowEditsAndDeletions(t *testing.T) {
	run(t, 62, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		alice.say(room, "Lunhc?")
		n.MustQuiet()
		m, _ := line(t, bob, room, "Lunhc?")
		if _, err := bob.Client.Send(room, client.Draft{Text: "yes", ReplyTo: m.ID}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, c := range []struct {
			change func() error
			text   string
			gone   bool
		}{
			{func() error { return alice.Client.Edit(room, m.ID, "Lunch?") }, "Lunch?", false},
			{func() error { return alice.Client.Edit(room, m.ID, strings.Repeat("é", 300)) }, strings.Repeat("é", 280), false},
			{func() error { return alice.Client.Delete(room, m.ID) }, "", true},
		} {
			events, cancel := bob.Client.Subscribe()
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
			told := false
			for len(events) > 0 {
				if e := <-events; e.Message != nil && e.Message.Text == "yes" && e.Message.Quote.Text == c.text {
					told = true
				}
			}
			cancel()
			yes, _ := line(t, bob, room, "yes")
			if yes.Quote == nil || yes.Quote.Text != c.text || yes.Quote.Gone != c.gone || !told {
				t.Errorf("bob's answer quotes %+v, told %v; want %q, gone %v", yes.Quote, told, c.text, c.gone)
			}
		}
		if history, err := bob.Client.History(room, m.ID); err != nil || len(history) != 0 {
			t.Errorf("a deleted message has the history %v, %v", history, err)
		}
	})
}

func TestHistoryHasTheTextsBeforeEdits(t *testing.T) {
	run(t, 63, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		alice.say(room, "text 0")
		n.MustQuiet()
		m, _ := line(t, bob, room, "text 0")
		for i := range 25 {
			if err := alice.Client.Edit(room, m.ID, fmt.Sprint("text ", i+1)); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
		}
		for _, d := range []*Device{alice, bob} {
			history, err := d.Client.History(room, m.ID)
			if err != nil || len(history) != 20 || history[0].Text != "text 24" || history[19].Text != "text 5" || history[0].Time <= history[19].Time {
				t.Errorf("%s has the history %+v, %v", d.Name, history, err)
			}
		}
	})
}

func TestTimelineIsReadFromAPlaceOrAroundIt(t *testing.T) {
	run(t, 64, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		for i := range 30 {
			alice.queue(room, client.Draft{Text: fmt.Sprint(i)})
		}
		n.MustQuiet()
		if _, err := bob.Client.Send(room, client.Draft{Text: "waits"}); err != nil {
			t.Fatal(err)
		}
		ten, _ := line(t, bob, room, "10")
		read := func(list []client.MessageView, err error) (texts []string) {
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				texts = append(texts, m.Text)
			}
			return texts
		}
		if got := read(bob.Client.MessagesAfter(room, ten.Seq, 3)); !slices.Equal(got, []string{"11", "12", "13"}) {
			t.Errorf("after 10: %q", got)
		}
		if got := read(bob.Client.MessagesAfter(room, ten.Seq, 100)); len(got) != 20 || got[19] != "waits" {
			t.Errorf("all after 10: %q", got)
		}
		if got := read(bob.Client.MessagesAround(room, ten.Seq, 5)); !slices.Equal(got, []string{"8", "9", "10", "11", "12"}) {
			t.Errorf("around 10: %q", got)
		}
		if got := read(bob.Client.MessagesAround(room, 1<<40, 4)); len(got) == 0 || got[len(got)-1] != "waits" {
			t.Errorf("around a place beyond the end: %q", got)
		}
		if v, err := bob.Client.Message(room, ten.ID); err != nil || v.Text != "10" {
			t.Errorf("message = %+v, %v", v, err)
		}
	})
}

func TestPreferencesReachOnesOwnDevicesAndNobodyElse(t *testing.T) {
	run(t, 65, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		pinned, notify, off := true, client.NotifyMentions, false
		if err := alice.Client.SetPreferences(room, client.Preferences{Pinned: &pinned, Notify: &notify}); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Client.SetSettings(client.SettingsChange{Receipts: &off, Previews: &pinned}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, phone, bob} {
			want := d != bob
			v := viewOf(t, d, room)
			s, err := d.Client.Settings()
			if err != nil || v.Pinned != want || (v.Notify == client.NotifyMentions) != want || s.Receipts == want || s.Previews != (d == alice) {
				t.Errorf("%s: pinned %v, notify %s, settings %+v, %v", d.Name, v.Pinned, v.Notify, s, err)
			}
		}
		// A phone whose clock is behind still has the last word when it speaks last.
		none := client.NotifyNone
		if err := phone.Client.SetPreferences(room, client.Preferences{Notify: &none}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if got := viewOf(t, alice, room); got.Notify != client.NotifyNone || !got.Pinned {
			t.Errorf("alice: %s, pinned %v", got.Notify, got.Pinned)
		}
		if wrong := client.Notify("sometimes"); alice.Client.SetPreferences(room, client.Preferences{Notify: &wrong}) == nil {
			t.Error("a preference that there is not was taken")
		}
		alice.Reopen()
		if got := viewOf(t, alice, room); got.Notify != client.NotifyNone || !got.Pinned {
			t.Errorf("alice after a restart: %s, pinned %v", got.Notify, got.Pinned)
		}
	})
}

func TestDraftStaysOnItsDeviceUntilDropped(t *testing.T) {
	run(t, 66, func(t *testing.T, n *Net) {
		alice, bob := n.Blank("alice", "alice/1"), n.Person("bob")
		n.Join(alice)
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		recorder := alice.Disk.Record()
		if err := alice.Client.SetDraft(room, "first canary", ""); err != nil {
			t.Fatal(err)
		}
		if err := alice.Client.SetDraft(room, "second", ""); err != nil {
			t.Fatal(err)
		}
		alice.Reopen()
		n.MustQuiet()
		if got, other := viewOf(t, alice, room).Draft, viewOf(t, phone, room).Draft; got != "second" || other != "" {
			t.Errorf("drafts: %q here, %q on the phone", got, other)
		}
		if err := alice.Client.SetDraft(room, strings.Repeat("x", content.MaxText+1), ""); err == nil {
			t.Error("a draft that can't be sent was kept")
		}
		if err := alice.Client.SetDraft(room, "", ""); err != nil {
			t.Fatal(err)
		}
		if got := viewOf(t, alice, room).Draft; got != "" {
			t.Errorf("the dropped draft: %q", got)
		}
		_ = alice.Client.Close()
		plain, err := attack(alice.Disk, recorder)
		if err != nil || strings.Contains(plain, "canary") || strings.Contains(plain, "second") {
			t.Errorf("a thief reads the dropped draft (%v)", err)
		}
		alice.Open()
	})
}

func TestRepeatedSendGivesTheFirstMessage(t *testing.T) {
	run(t, 67, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		send := func(nonce string) client.MessageView {
			v, err := alice.Client.Send(room, client.Draft{Text: "once", Nonce: nonce, Expire: 600})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		first := send("n1")
		if again := send("n1"); again.ID != first.ID {
			t.Error("a repeat while it waits made another message")
		}
		n.MustQuiet()
		alice.Reopen()
		if again := send("n1"); again.ID != first.ID || !again.State.Stands() {
			t.Errorf("a repeat after a restart = %+v", again)
		}
		if other := send("n2"); other.ID == first.ID {
			t.Error("another nonce gave the same message")
		}
		n.Advance(time.Hour)
		n.MustQuiet()
		if again := send("n1"); again.ID != first.ID || again.Text != "" {
			t.Errorf("a repeat after it ran out = %+v", again)
		}
		n.MustQuiet()
		if got := texts(t, bob, room); len(got) != 0 {
			t.Errorf("bob shows %q", got)
		}
		if _, err := alice.Client.Send(room, client.Draft{Text: "x", Nonce: strings.Repeat("n", 129)}); err == nil {
			t.Error("an endless nonce was taken")
		}
	})
}

// queued writes a message and gives what is shown of it.
func (d *Device) queued(room, text string) client.MessageView {
	d.net.t.Helper()
	v, err := d.Client.Send(room, client.Draft{Text: text})
	if err != nil {
		d.net.t.Fatalf("%s writes %q: %v", d.Name, text, err)
	}
	return v
}

func TestFailedMessageIsRetriedOrDiscarded(t *testing.T) {
	run(t, 68, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
			return nil, api.Errorf(api.Invalid, "not today"), r.name == api.Append.Name
		}
		a, b := alice.queued(room, "to retry"), alice.queued(room, "to discard")
		alice.MustSync()
		n.Wire.tamper = nil
		if m, _ := line(t, alice, room, "to retry"); m.State != client.Failed {
			t.Fatalf("the refused message is %s", m.State)
		}
		if err := alice.Client.Retry(room, a.ID); err != nil {
			t.Fatal(err)
		}
		if err := alice.Client.Discard(room, b.ID); err != nil {
			t.Fatal(err)
		}
		if _, there := line(t, alice, room, "to discard"); there {
			t.Error("the discarded message is shown")
		}
		c := alice.queued(room, "not sealed yet")
		if err := alice.Client.Discard(room, c.ID); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if got := texts(t, bob, room); !slices.Equal(got, []string{"to retry"}) {
			t.Errorf("bob shows %q; want the retried message, once", got)
		}
		if err := alice.Client.Discard(room, a.ID); err == nil {
			t.Error("a message that was sent was discarded")
		}
		if v := viewOf(t, alice, room); v.Queued != 0 {
			t.Errorf("%d are queued", v.Queued)
		}
	})
}

func TestMentionsAreOfTheRoomAndByTheirTrueNames(t *testing.T) {
	run(t, 69, func(t *testing.T, n *Net) {
		alice, bob, eve := n.Person("alice"), n.Person("bob"), n.Person("eve")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		me, other := bob.Client.Me(), eve.Client.Me()
		say := func(text string) client.MessageView {
			alice.say(room, text)
			n.MustQuiet()
			m, ok := line(t, bob, room, text)
			if !ok {
				t.Fatalf("bob does not show %q", text)
			}
			return m
		}
		if m := say("hi " + client.Mention(me.Network, me.User, "the [boss]\\")); !m.MentionsMe || len(m.Mentions) != 1 || m.Mentions[0] != (client.MentionView{User: me.User, Name: "bob"}) {
			t.Errorf("a mention of bob = %+v", m.Mentions)
		}
		for name, text := range map[string]string{
			"somebody not in the room": client.Mention(me.Network, other.User, "eve"),
			"another network":          client.Mention(strings.Repeat("a", 52), me.User, "bob"),
			"half an id":               client.Mention(me.Network, me.User[:20], "bob"),
			"a link of another kind":   "[bob](mimi://" + me.Network + "/u/" + me.User + ")",
			"an endless name":          client.Mention(me.Network, me.User, strings.Repeat("x", 5000)),
		} {
			if m := say(text); m.MentionsMe || len(m.Mentions) != 0 {
				t.Errorf("%s: %+v", name, m.Mentions)
			}
		}
		if v := viewOf(t, bob, room); v.Mentions != 1 || v.Unread != 6 {
			t.Errorf("the list shows %d mentions of %d unread", v.Mentions, v.Unread)
		}
	})
}

// Everyone in a room is named by its admins alone, as the log has them when it
// has the message: what a member's changed program sends, or one who is no admin
// any more when it goes out, is text to all others.
func TestEveryoneIsMentionedByAdminsAlone(t *testing.T) {
	run(t, 71, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		phone := n.mustLink(carol, "carol/2")
		n.MustQuiet()
		tea, coffee := n.room("tea", alice, bob, carol), n.room("coffee", alice, bob)
		all := client.MentionAll(alice.Client.Me().Network, tea)
		shows := func(text string, want bool) {
			t.Helper()
			n.MustQuiet()
			for _, d := range []*Device{alice, bob, carol, phone} {
				m, ok := line(t, d, tea, text)
				if !ok || m.MentionsAll != want || m.MentionsMe != (want && !m.Mine) {
					t.Errorf("%s of %q: there %t, mentions all %t, me %t; want %t", d.Name, text, ok, m.MentionsAll, m.MentionsMe, want)
				}
			}
		}
		refused := func(d *Device, what string, err error) {
			t.Helper()
			if err == nil || err.Error() != "only an admin of a room mentions everyone in it" {
				t.Errorf("%s %s: %v", d.Name, what, err)
			}
		}
		admin := func(who *Device, is bool) {
			t.Helper()
			if err := alice.Client.SetAdmin(t.Context(), tea, who.Client.Me().User, is); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
		}

		first := alice.queued(tea, all+" to the boats")
		shows(all+" to the boats", true)
		if v := viewOf(t, bob, tea); v.Mentions != 1 {
			t.Errorf("bob's list counts %d mentions", v.Mentions)
		}
		_, err := bob.Client.Send(tea, client.Draft{Text: "hey " + all})
		refused(bob, "writes", err)
		said := bob.queued(tea, "hey")
		n.MustQuiet()
		refused(bob, "edits", bob.Client.Edit(tea, said.ID, "hey "+all))

		// Of another room it is text.
		alice.queue(coffee, client.Draft{Text: all})
		n.MustQuiet()
		if m, ok := line(t, bob, coffee, all); !ok || m.MentionsAll || m.MentionsMe {
			t.Errorf("a link to another room: there %t, %+v", ok, m)
		}
		direct, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Client.Send(direct.Room, client.Draft{Text: client.MentionAll(alice.Client.Me().Network, direct.Room)}); err == nil {
			t.Error("everyone is mentioned in a direct conversation")
		}

		admin(bob, true)
		if err := bob.Client.Edit(tea, said.ID, "hey "+all); err != nil {
			t.Fatal(err)
		}
		shows("hey "+all, true)
		bob.Link.Offline = true
		bob.queue(tea, client.Draft{Text: all + " I am still in charge"})
		admin(bob, false)
		bob.Link.Offline = false
		shows(all+" I am still in charge", false)
		if err := bob.Client.Edit(tea, said.ID, "hey there, "+all); err != nil { // they were told when he could
			t.Errorf("mending what was said as an admin: %v", err)
		}
		shows("hey there, "+all, true)
		if err := alice.Client.Edit(tea, first.ID, "never mind"); err != nil {
			t.Fatal(err)
		}
		shows("never mind", false)
	})
}

func TestSearchFindsEverythingOnceNewestFirst(t *testing.T) {
	run(t, 70, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		rooms := []string{n.room("tea", alice, bob), n.room("Coffee", bob, alice)}
		for i := range 60 {
			alice.queue(rooms[i%7%2], client.Draft{Text: fmt.Sprintf("Wort %d ÄPFEL", i)})
			alice.queue(rooms[i%2], client.Draft{Text: fmt.Sprint("other ", i)})
			n.Clock.Advance(time.Second)
			if i%10 == 9 {
				n.MustQuiet()
			}
		}
		var found []client.Hit
		next, calls := "", 0
		for {
			v, err := bob.Client.Search("äpfel  wort", "", next, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Hits) > 7 {
				t.Fatalf("a call gave %d hits", len(v.Hits))
			}
			found = append(found, v.Hits...)
			if calls++; v.Next == "" || calls > 100 {
				break
			}
			if next == v.Next {
				t.Fatal("the search does not go on")
			}
			next = v.Next
		}
		seen := map[string]bool{}
		for i, h := range found {
			seen[h.Message.ID] = true
			if i > 0 && h.Message.Time > found[i-1].Message.Time {
				t.Errorf("hit %d is newer than the one before", i)
			}
			if want := map[string]string{rooms[0]: "tea", rooms[1]: "Coffee"}[h.Message.Room]; h.RoomName != want {
				t.Errorf("hit %d is in %q; want %q", i, h.RoomName, want)
			}
		}
		if len(found) != 60 || len(seen) != 60 {
			t.Errorf("found %d, of them %d different; want 60", len(found), len(seen))
		}
		if v, err := bob.Client.Search("wort", rooms[1], "", 100); err != nil || slices.ContainsFunc(v.Hits, func(h client.Hit) bool { return h.Message.Room != rooms[1] }) {
			t.Errorf("a search in one room: %v", err)
		}
		if _, err := bob.Client.Search("wort", "", "no such search", 0); err == nil {
			t.Error("a cursor that nobody gave was taken")
		}
		if v, err := bob.Client.Search("  ", "", "", 0); err != nil || len(v.Hits) != 0 || v.Next != "" {
			t.Errorf("a search for nothing = %+v, %v", v, err)
		}
	})
}

func TestTimersOfADirectRoomAreTold(t *testing.T) {
	run(t, 72, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		made, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := alice.Client.SetRoom(t.Context(), made.Room, client.RoomSettings{Burn: 10}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			v, err := d.Client.Room(made.Room)
			if err != nil {
				t.Fatal(err)
			}
			list, err := d.Client.Messages(made.Room, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(list, func(m client.MessageView) bool {
				return m.Notice != nil && m.Notice.What == client.HappenedTimer && m.Notice.Burn == 10
			})
			if v.Burn != 10 || !told {
				t.Errorf("%s has a burn of %d and was told %v; want 10, true", d.Name, v.Burn, told)
			}
		}
	})
}

func TestSettingsOfARoomAreTold(t *testing.T) {
	run(t, 71, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		if err := alice.Client.SetRoom(t.Context(), room, client.RoomSettings{Name: "tea", Expire: 3600, Burn: 60}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := alice.Client.SetRoom(t.Context(), room, client.RoomSettings{Name: "cake", Expire: 3600, Burn: 60}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			var got []client.NoticeView
			list, err := d.Client.Messages(room, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if m.Notice != nil && (m.Notice.What == client.HappenedTimer || m.Notice.What == client.HappenedNamed) {
					got = append(got, *m.Notice)
				}
			}
			if len(got) != 2 || got[0].Expire != 3600 || got[0].Burn != 60 || got[0].ByName != "alice" || got[1].Name != "cake" {
				t.Errorf("%s is told %+v", d.Name, got)
			}
		}
	})
}
