package testnet

import (
	"fmt"
	"slices"
	"testing"

	"sconce/api"
	"sconce/client"
	"sconce/client/clienttest"
)

// wishes are what a person chose on some device before another one came.
type wishes struct {
	room     string
	verified string // a person
	doubted  string // one whose verification was taken back
}

// wish has alice choose something of each kind in a room with bob and carol.
func wish(t *testing.T, n *Net, alice, bob, carol *Device) wishes {
	t.Helper()
	w := wishes{room: n.room("tea", alice, bob, carol), verified: bob.Client.Me().User, doubted: carol.Client.Me().User}
	pinned, notify, off := true, client.NotifyMentions, false
	if err := alice.Client.SetPreferences(w.room, client.Preferences{Pinned: &pinned, Notify: &notify}); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Client.SetSettings(client.SettingsChange{Receipts: &off}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		user string
		is   bool
	}{{w.verified, true}, {w.doubted, true}, {w.doubted, false}} {
		if err := alice.Client.MarkVerified(t.Context(), v.user, v.is); err != nil {
			t.Fatal(err)
		}
	}
	n.MustQuiet()
	return w
}

// unknown gives what of the wishes a device does not show.
func (w wishes) unknown(t *testing.T, d *Device) (missing []string) {
	t.Helper()
	v := viewOf(t, d, w.room)
	s, err := d.Client.Settings()
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{"pin": v.Pinned, "notify": v.Notify == client.NotifyMentions, "receipts": !s.Receipts, "typing": s.Typing} {
		if !ok {
			missing = append(missing, what)
		}
	}
	for _, m := range v.Members {
		if m.User == w.verified && m.Trust != client.Verified || m.User == w.doubted && m.Trust != client.Unverified {
			missing = append(missing, fmt.Sprintf("%s is %s", m.Name, m.Trust))
		}
	}
	return missing
}

// tellers gives which devices send messages to a self-group, from now on.
func (n *Net) tellers(t *testing.T, d *Device) *[]string {
	t.Helper()
	digests, err := d.Client.Digest()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(digests, func(r client.RoomDigest) bool { return r.Kind == "self" })
	told := new([]string)
	n.Wire.before = func(l *Link, r request) {
		var req api.AppendRequest
		if r.name == api.Append.Name && api.Unmarshal(r.body, &req) == nil && fmt.Sprintf("%x", req.Room[:]) == digests[i].Room && req.Commit == nil {
			*told = append(*told, l.name)
		}
	}
	return told
}

// Whoever links a further device finds on it what they chose before. The device
// that let it in tells, in one message, and nobody else does.
func TestNewDeviceIsToldWhatItsPersonChose(t *testing.T) {
	run(t, 431, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		w := wish(t, n, alice, bob, carol)
		for i, by := range []*Device{phone, alice} {
			third := n.mustLink(by, fmt.Sprint("alice/", 3+i))
			third.MustSync()
			told := n.tellers(t, third)
			n.MustQuiet()
			if missing := w.unknown(t, third); missing != nil {
				t.Errorf("%s, linked by %s, does not know %q", third.Name, by.Name, missing)
			}
			if !slices.Equal(*told, []string{by.Name}) {
				t.Errorf("%s was told by %q, want by %s, once", third.Name, *told, by.Name)
			}
		}
		for _, d := range []*Device{alice, phone} {
			if missing := w.unknown(t, d); missing != nil {
				t.Errorf("%s forgot %q", d.Name, missing)
			}
		}
	})
}

// What is said again of a time that is over changes nothing that was said since.
func TestWhatIsToldLateUndoesNothing(t *testing.T) {
	run(t, 432, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		w := wish(t, n, alice, bob, carol)
		third := n.mustLink(phone, "alice/3")
		third.MustSync()
		n.Clock.Advance(1000 * 1000) // a millisecond
		pinned, on := false, true
		if err := alice.Client.SetPreferences(w.room, client.Preferences{Pinned: &pinned}); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Client.SetSettings(client.SettingsChange{Receipts: &on}); err != nil {
			t.Fatal(err)
		}
		if err := alice.Client.MarkVerified(t.Context(), w.verified, false); err != nil {
			t.Fatal(err)
		}
		// The phone has read its log, and tells what it knows, while alice says more.
		n.Wire.before = func(l *Link, r request) {
			if l == phone.Link && r.name == api.Append.Name {
				n.Wire.before = nil
				alice.MustSync()
			}
		}
		phone.MustSync()
		n.MustQuiet()
		for _, d := range []*Device{alice, phone, third} {
			v := viewOf(t, d, w.room)
			s, err := d.Client.Settings()
			if err != nil || v.Pinned || v.Notify != client.NotifyMentions || !s.Receipts {
				t.Errorf("%s: pinned %t, notify %s, settings %+v, %v", d.Name, v.Pinned, v.Notify, s, err)
			}
			for _, m := range v.Members {
				if m.User != d.Client.Me().User && m.Trust != client.Unverified {
					t.Errorf("%s believes that %s is %s", d.Name, m.Name, m.Trust)
				}
			}
		}
	})
}

// Wherever the device that is to tell loses power, the new one is told.
func TestNewDeviceIsToldThoughTheOneThatTellsCrashes(t *testing.T) {
	for writes := 0; ; writes++ {
		crashed := false
		t.Run(fmt.Sprint(writes), func(t *testing.T) {
			run(t, 433, func(t *testing.T, n *Net) {
				alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
				n.MustQuiet()
				w := wish(t, n, alice, bob, carol)
				phone := n.mustLink(alice, "alice/2")
				phone.MustSync()
				alice.Disk.FailAfter(writes, clienttest.Failures[writes%len(clienttest.Failures)])
				_ = alice.Sync() // it may be cut off anywhere
				crashed = alice.Disk.Off()
				alice.Reopen()
				n.MustQuiet()
				if missing := w.unknown(t, phone); missing != nil {
					t.Errorf("after power was lost at write %d the new device does not know %q", writes, missing)
				}
			})
		})
		if !crashed {
			if writes < 4 {
				t.Errorf("a sync that tells makes only %d writes", writes)
			}
			return
		}
	}
}

// Where the device that let a new one in goes before it has told, another one does:
// people link a new phone, and take the old one out at once.
func TestNewDeviceIsToldThoughTheOneThatLetItInIsGone(t *testing.T) {
	for name, tt := range map[string]struct{ entered, byItself bool }{
		"before it entered":               {},
		"after":                           {entered: true},
		"before, by the new one":          {byItself: true},
		"by the new one that has entered": {entered: true, byItself: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 434, func(t *testing.T, n *Net) {
				alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
				phone := n.mustLink(alice, "alice/2")
				n.MustQuiet()
				w := wish(t, n, alice, bob, carol)
				third := n.mustLink(phone, "alice/3")
				if tt.entered {
					third.MustSync()
				}
				by := alice
				if tt.byItself {
					by = third
				}
				if err := by.Client.RemoveDevice(t.Context(), phone.Client.Me().Device); err != nil {
					t.Fatal(err)
				}
				phone.Removed = true
				n.MustQuiet()
				if missing := w.unknown(t, third); missing != nil {
					t.Errorf("alice/3 does not know %q", missing)
				}
			})
		})
	}
}

// What is chosen on a new device while its way into the self-group is held up
// reaches the others.
func TestChoiceOnADeviceThatIsStillOnItsWayInIsTold(t *testing.T) {
	run(t, 437, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		phone := n.mustLink(alice, "alice/2")
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			return nil, errLost, l == phone.Link && r.name == api.ReadGroupInfo.Name
		}
		if err := phone.Sync(); err == nil {
			t.Fatal("the phone came in")
		}
		pinned, off := true, false
		if err := phone.Client.SetPreferences(room, client.Preferences{Pinned: &pinned}); err != nil {
			t.Fatal(err)
		}
		if _, err := phone.Client.SetSettings(client.SettingsChange{Typing: &off}); err != nil {
			t.Fatal(err)
		}
		n.Wire.tamper = nil
		n.MustQuiet()
		s, err := alice.Client.Settings()
		if v := viewOf(t, alice, room); err != nil || !v.Pinned || s.Typing {
			t.Errorf("alice/1: pinned %t, settings %+v, %v", v.Pinned, s, err)
		}
	})
}

// A verification of before a server's lie says nothing of what the lie was about;
// one of after it does.
func TestDoubtIsNotLiftedByWhatWasVerifiedBefore(t *testing.T) {
	run(t, 435, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		phone := n.mustLink(alice, "alice/2")
		n.MustQuiet()
		n.room("tea", alice, bob)
		u := bob.Client.Me().User
		verify := func(is bool) {
			t.Helper()
			if err := alice.Client.MarkVerified(t.Context(), u, is); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
		}
		trust := func(d *Device) client.Trust {
			t.Helper()
			v, err := d.Client.Safety(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			return v.Trust
		}
		verify(true)
		n.Wire.Answered = func(name string, answer []byte) []byte {
			var resp api.LogsResponse
			if name != api.Logs.Name || api.Unmarshal(answer, &resp) != nil {
				return answer
			}
			for i := range resp.Logs {
				if resp.Logs[i].User == api.UserID(bob.user) {
					resp.Logs[i].Length = 0
				}
			}
			return must(api.Marshal(resp))
		}
		if got := trust(phone); got != client.Changed {
			t.Fatalf("whose device log got shorter is %s", got)
		}
		n.Wire.Answered = nil
		third := n.mustLink(alice, "alice/3") // alice/1 tells it, and all, whom it knows
		n.MustQuiet()
		if a, b := trust(phone), trust(third); a != client.Changed || b != client.Verified {
			t.Errorf("bob is %s where the server lied, and %s on the new device", a, b)
		}
		verify(false)
		if got := trust(phone); got != client.Changed {
			t.Errorf("the verification taken back, bob is %s where the server lied", got)
		}
		verify(true)
		if got := trust(phone); got != client.Verified {
			t.Errorf("verified after the lie bob is %s", got)
		}
	})
}
