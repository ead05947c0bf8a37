package client_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"sconce/api"
	"sconce/client"
	"sconce/internal/testnet"
)

// sendElsewhere makes the server answer whoever makes a room that it is there
// already, and is another one.
func sendElsewhere(t *testing.T, n *testnet.Net, room string) {
	t.Helper()
	n.Wire.Answered = func(name string, answer []byte) []byte {
		if name != api.CreateRoom.Name {
			return answer
		}
		b, err := api.Marshal(&api.CreateRoomResponse{Room: idOf(t, room)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func textsOf(t *testing.T, d *testnet.Device, room string) (all []string) {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		all = append(all, m.Text)
	}
	return all
}

// Two people have one room, and of two who make it at once one is told that it is
// there. A server must not name a room of others with that answer, or what is
// meant for the one is read by the other.
func TestServerCannotNameAnotherRoomAsTheOneForTwo(t *testing.T) {
	talking(t, 91, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, group string) {
		carol := n.Person("carol")
		n.MustQuiet()
		direct, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, other := range []string{direct.Room, group} {
			sendElsewhere(t, n, other)
			if v, err := alice.Client.DirectRoom(t.Context(), carol.Client.Me().User); err == nil {
				t.Errorf("the room with carol is %q, a %s room with %d people", v.Name, v.Kind, len(v.Members))
			}
		}
		n.Wire.Answered = nil
		v, err := alice.Client.DirectRoom(t.Context(), carol.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		if v.Name != "carol" || v.Room == direct.Room || v.Room == group {
			t.Errorf("after the server came to its senses, the room with carol is %q", v.Name)
		}
	})
}

// The room that the server names may not be there yet: what is written waits, and
// must not go to others when they let this device in there.
func TestWhatWaitsForARoomForTwoGoesToNobodyElse(t *testing.T) {
	for _, kind := range []string{"group", "direct"} {
		t.Run(kind, func(t *testing.T) {
			talking(t, 92, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, _ string) {
				mal := n.Person("mal")
				n.MustQuiet()
				var room string
				if kind == "group" {
					v, err := mal.Client.NewRoom(t.Context(), "trap", nil)
					if err != nil {
						t.Fatal(err)
					}
					room = v.Room
				} else {
					// mal's room with alice, which the server keeps from her for now.
					alice.Link.Offline = true
					v, err := mal.Client.DirectRoom(t.Context(), alice.Client.Me().User)
					if err != nil {
						t.Fatal(err)
					}
					alice.Link.Offline = false
					room = v.Room
				}
				hidden := true
				n.Wire.Answered = func(name string, answer []byte) []byte {
					if !hidden {
						return answer
					}
					switch name {
					case api.CreateRoom.Name:
						b, err := api.Marshal(&api.CreateRoomResponse{Room: idOf(t, room)})
						if err != nil {
							t.Fatal(err)
						}
						return b
					case api.Rooms.Name:
						resp := new(api.RoomsResponse)
						if err := api.Unmarshal(answer, resp); err != nil {
							t.Fatal(err)
						}
						resp.Rooms = slices.DeleteFunc(resp.Rooms, func(s api.RoomStatus) bool { return s.Room == idOf(t, room) })
						b, err := api.Marshal(resp)
						if err != nil {
							t.Fatal(err)
						}
						return b
					case api.Read.Name: // no Welcome either
						resp := new(api.ReadResponse)
						if err := api.Unmarshal(answer, resp); err != nil {
							t.Fatal(err)
						}
						if slices.ContainsFunc(resp.Entries, func(e api.Entry) bool { return e.Kind == api.EntryWelcome }) {
							resp.Entries = nil
						}
						b, err := api.Marshal(resp)
						if err != nil {
							t.Fatal(err)
						}
						return b
					}
					return answer
				}
				v, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
				if err != nil {
					t.Fatal(err)
				}
				if v.Room != room {
					t.Fatalf("alice writes in %s, not in the room that the server named", v.Room)
				}
				if _, err := alice.Client.Send(room, client.Draft{Text: "for bob alone"}); err != nil {
					t.Fatal(err)
				}
				hidden = false
				if kind == "group" {
					if err := mal.Client.AddPeople(t.Context(), room, []string{alice.Client.Me().User}); err != nil {
						t.Fatal(err)
					}
				}
				n.MustQuiet()
				if got := textsOf(t, mal, room); slices.Contains(got, "for bob alone") {
					t.Errorf("mal reads %q", got)
				}
				if now := roomOf(t, alice, room); now.Alarm == "" || !strings.Contains(now.Alarm, "bob") {
					t.Errorf("alice's alarm is %q, want one that names whom the room was for", now.Alarm)
				}
				list, err := alice.Client.Messages(room, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				if i := slices.IndexFunc(list, func(m client.MessageView) bool { return m.Text == "for bob alone" }); i < 0 || list[i].State != client.Failed {
					t.Errorf("alice's message is not shown as failed: %+v", list)
				}
			})
		})
	}
}

// The same with the group of one's own devices: what a person tells their devices,
// such as whom they verified, is not for a room of others.
func TestServerCannotNameAnotherRoomAsTheSelfGroup(t *testing.T) {
	talking(t, 93, func(t *testing.T, n *testnet.Net, _, bob *testnet.Device, _ string) {
		mal := n.Person("mal")
		n.MustQuiet()
		trap, err := mal.Client.NewRoom(t.Context(), "trap", nil)
		if err != nil {
			t.Fatal(err)
		}
		sendElsewhere(t, n, trap.Room)
		carol := n.Person("carol")
		_ = carol.Sync() // whether she takes that for an error does not matter
		n.Wire.Answered = nil
		if err := n.Link(carol, n.Blank("carol", "carol/2")); err != nil { // somebody to tell
			t.Fatal(err)
		}
		second := n.Devices[len(n.Devices)-1]
		_ = second.Sync()
		if err := mal.Client.AddPeople(t.Context(), trap.Room, []string{carol.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		before := placeOf(t, mal, trap.Room)
		if err := carol.Client.MarkVerified(t.Context(), bob.Client.Me().User, true); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if after := placeOf(t, mal, trap.Room); after != before {
			t.Errorf("carol's note to herself went into mal's room: it went from %d to %d", before, after)
		}
		people, err := second.Client.People(t.Context(), "bob")
		if err != nil || len(people) != 1 || people[0].Trust != client.Verified {
			t.Errorf("carol's other device does not know whom she verified: %+v, %v", people, err)
		}
	})
}

// placeOf is how far a room's log goes, as a device has it.
func placeOf(t *testing.T, d *testnet.Device, room string) int {
	t.Helper()
	all, err := d.Client.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Room == room {
			return r.Place
		}
	}
	t.Fatalf("%s has no room %s", d.Name, room)
	return 0
}

// change makes the server answer one call otherwise; after too many of them the
// test ends, in the midst of what the client does.
func change[T any](t *testing.T, n *testnet.Net, name string, change func(*T)) {
	t.Helper()
	calls := 0
	n.Wire.Answered = func(called string, answer []byte) []byte {
		if called != name {
			return answer
		}
		if calls++; calls > 1000 {
			n.Wire.Answered = nil
			t.Fatalf("%s is called without end", name)
		}
		v := new(T)
		if err := api.Unmarshal(answer, v); err != nil {
			t.Fatal(err)
		}
		change(v)
		b, err := api.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// Lists come in pages, and a server that never ends one must not keep the client
// at it, or have it store without end.
func TestListsThatNeverEndAreGivenUp(t *testing.T) {
	for name, lie := range map[string]func(t *testing.T, n *testnet.Net){
		"the same rooms": func(t *testing.T, n *testnet.Net) {
			change(t, n, api.Rooms.Name, func(r *api.RoomsResponse) { r.More = true })
		},
		"rooms made up": func(t *testing.T, n *testnet.Net) {
			id := api.LogID{}
			change(t, n, api.Rooms.Name, func(r *api.RoomsResponse) {
				r.Rooms, r.More = nil, true
				for range api.MaxBatch {
					for i := len(id) - 1; i >= 0; i-- {
						if id[i]++; id[i] != 0 {
							break
						}
					}
					r.Rooms = append(r.Rooms, api.RoomStatus{Room: id, Kind: 1})
				}
			})
		},
		"people": func(t *testing.T, n *testnet.Net) {
			change(t, n, api.People.Name, func(r *api.PeopleResponse) { r.People, r.Next = nil, "00" })
		},
		"the inbox": func(t *testing.T, n *testnet.Net) {
			change(t, n, api.Read.Name, func(r *api.ReadResponse) {
				r.Entries, r.Last = []api.Entry{{Seq: 1, Kind: api.EntryWelcome, Message: []byte("none")}}, 1
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			talking(t, 94, func(t *testing.T, n *testnet.Net, alice, _ *testnet.Device, _ string) {
				lie(t, n)
				_ = alice.Sync() // that it ends is what counts
				_, _ = alice.Client.People(context.Background(), "")
				n.Wire.Answered = nil
				alice.MustSync()
			})
		})
	}
}

// A stamp of the server's is shown, and a page can show no time that no calendar
// has. Nor may one lie move all that comes after it.
func TestTimeLiesAreCutDown(t *testing.T) {
	for _, lie := range []int64{math.MaxInt64, math.MinInt64, -1} {
		talking(t, 96, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, room string) {
			change(t, n, api.Read.Name, func(r *api.ReadResponse) {
				for i := range r.Entries {
					r.Entries[i].Time = lie
				}
			})
			if _, err := bob.Client.Send(room, client.Draft{Text: "when?"}); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
			if err := alice.Client.SetRoom(t.Context(), room, client.RoomSettings{Name: "coffee"}); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
			n.Wire.Answered = nil
			if _, err := bob.Client.Send(room, client.Draft{Text: "now"}); err != nil {
				t.Fatal(err)
			}
			n.MustQuiet()
			latest := int(n.Clock.Now().UnixMilli()) + 24*3600_000
			for _, d := range []*testnet.Device{alice, bob} {
				list, err := d.Client.Messages(room, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range list {
					if m.Time < 1 || m.Time > latest {
						t.Errorf("stamped %d, %s shows %q as of %d", lie, d.Name, m.Text, m.Time)
					}
				}
				if v := roomOf(t, d, room); v.Activity < 1 || v.Activity > latest {
					t.Errorf("stamped %d, %s says that the room was last used at %d", lie, d.Name, v.Activity)
				}
			}
		})
	}
}

// A Welcome says from which place of the log on a device reads. One that no log has
// would keep it from ever reading a word, also when the server is honest again; and
// how far places are apart must not decide how long it takes to look at a room.
func TestWelcomeToAPlaceThatNoLogHasIsRefused(t *testing.T) {
	for _, lie := range []uint64{math.MaxUint64 - 1, 1 << 52} {
		welcomeTo(t, lie)
	}
}

func welcomeTo(t *testing.T, lie uint64) {
	talking(t, 97, func(t *testing.T, n *testnet.Net, alice, bob *testnet.Device, _ string) {
		lied := false
		change(t, n, api.Read.Name, func(r *api.ReadResponse) {
			for i, e := range r.Entries {
				if e.Kind != api.EntryWelcome {
					continue
				}
				var w api.WelcomeEntry
				if err := api.Unmarshal(e.Message, &w); err != nil {
					t.Fatal(err)
				}
				w.Seq, lied = lie, true
				b, err := api.Marshal(w)
				if err != nil {
					t.Fatal(err)
				}
				r.Entries[i].Message = b
			}
		})
		v, err := alice.Client.NewRoom(t.Context(), "later", []string{bob.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if !lied {
			t.Fatal("bob read no Welcome")
		}
		n.Wire.Answered = nil
		n.MustQuiet()
		if _, err := alice.Client.Send(v.Room, client.Draft{Text: "are you there?"}); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		got := textsOf(t, bob, v.Room)
		if _, err := bob.Client.MessagesAfter(v.Room, 0, 10); err != nil {
			t.Fatal(err)
		}
		if lie > 1<<53 && !slices.Contains(got, "are you there?") {
			t.Errorf("bob reads %q", got)
		}
	})
}
