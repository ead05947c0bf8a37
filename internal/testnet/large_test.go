package testnet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sconce/api"
)

// People come into a room forty in a commit. Two hundred are in after five, and
// the first and the last of each read what is said then.
func TestRoomOfTwoHundredIsMadeAtOnce(t *testing.T) {
	run(t, 71, func(t *testing.T, n *Net) {
		const people, batch = 200, 40
		alice := n.Person("alice")
		var users []string
		for i := 1; i < people; i++ {
			n.Clock.Advance(5 * time.Second) // strangers are limited
			users = append(users, n.Person(fmt.Sprintf("member%d", i)).Client.Me().User)
		}
		for _, d := range n.Devices { // leaves its key packages with the server
			d.MustSync()
		}
		commits, largest := 0, 0
		n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
			var req api.AppendRequest
			if r.name == api.Append.Name && api.Unmarshal(r.body, &req) == nil && req.Commit != nil {
				commits++
				largest = max(largest, len(r.body))
			}
			return nil, nil, false
		}
		v, err := alice.Client.NewRoom(t.Context(), "all hands", users)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d commits, the largest of %d bytes", commits, largest)
		if want := (people - 1 + batch - 1) / batch; commits > want {
			t.Errorf("%d commits, want %d", commits, want)
		}
		n.Wire.tamper = nil
		alice.say(v.Room, "welcome")
		if got := viewOf(t, alice, v.Room); len(got.Members) != people {
			t.Errorf("alice sees %d people, want %d", len(got.Members), people)
		}
		for i, d := range n.Devices {
			if i%batch > 1 && i != people-1 {
				continue
			}
			d.MustSync()
			if got := texts(t, d, v.Room); !slices.Equal(got, []string{"welcome"}) {
				t.Errorf("%s shows %q", d.Name, got)
			}
		}
	})
}

// What the server, or a proxy before it, finds too large goes in smaller parts.
func TestAddsThatAreTooLargeAreSplit(t *testing.T) {
	limits := map[string]func(r *request) bool{
		"by the key packages they need": func(r *request) bool {
			var req api.ClaimKeyPackagesRequest
			return r.name == api.ClaimKeyPackages.Name && api.Unmarshal(r.body, &req) == nil && len(req.Users) > 3
		},
		"by the size of the commit": func(r *request) bool { return r.name == api.Append.Name && len(r.body) > 40_000 },
	}
	for name, large := range limits {
		t.Run(name, func(t *testing.T) {
			run(t, 72, func(t *testing.T, n *Net) {
				alice := n.Person("alice")
				var users []string
				for i := range 9 {
					users = append(users, n.Person(fmt.Sprintf("member%d", i)).Client.Me().User)
				}
				n.MustQuiet()
				refused := 0
				n.Wire.tamper = func(_ *Link, r *request) ([]byte, error, bool) {
					if !large(r) {
						return nil, nil, false
					}
					refused++
					return nil, api.Errorf(api.TooLarge, "that is too much"), true
				}
				v, err := alice.Client.NewRoom(t.Context(), "all hands", users)
				if err != nil {
					t.Fatal(err)
				}
				if refused == 0 {
					t.Fatal("nothing was too large")
				}
				alice.say(v.Room, "welcome")
				n.MustQuiet()
				for _, d := range n.Devices {
					if got := texts(t, d, v.Room); !slices.Equal(got, []string{"welcome"}) {
						t.Errorf("%s shows %q", d.Name, got)
					}
				}
			})
		})
	}
}
