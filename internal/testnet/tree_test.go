package testnet

import (
	"fmt"
	"slices"
	"testing"

	"sconce/api"
)

// smallParts makes the server give trees in parts of a thousand bytes, and counts
// those that a device gets.
func smallParts(t *testing.T, n *Net, d *Device, parts *int) {
	cut := func(tree []byte) []byte {
		*parts++
		return tree[:min(1000, len(tree))]
	}
	n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
		switch {
		case l != d.Link:
		case r.name == api.ReadTree.Name:
			return changed(t, n, r, func(resp *api.ReadTreeResponse) { resp.Tree = cut(resp.Tree) })
		case r.name == api.ReadGroupInfo.Name:
			return changed(t, n, r, func(resp *api.ReadGroupInfoResponse) { resp.Tree = cut(resp.Tree) })
		}
		return nil, nil, false
	}
}

// A room's tree may be larger than one answer, for who is asked in and for who
// lets itself in.
func TestTreeIsReadInParts(t *testing.T) {
	run(t, 71, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		parts := 0
		smallParts(t, n, bob, &parts)
		room := n.room("tea", alice, bob)
		if parts < 2 {
			t.Errorf("bob came in with %d parts", parts)
		}
		second := n.Blank("bob", "bob/2")
		parts = 0
		smallParts(t, n, second, &parts)
		if err := n.Link(bob, second); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if parts < 2 {
			t.Errorf("bob/2 let itself in with %d parts", parts)
		}
		alice.say(room, "hello")
		n.MustQuiet()
		for _, d := range []*Device{bob, second} {
			if got := texts(t, d, room); !slices.Equal(got, []string{"hello"}) {
				t.Errorf("%s shows %q", d.Name, got)
			}
		}
	})
}

// Somebody changes the room while a device reads its tree: the parts are of two
// trees, and the reading begins again.
func TestTreeThatChangesWhileItIsReadIsReadAnew(t *testing.T) {
	run(t, 72, func(t *testing.T, n *Net) {
		alice, bob, carol := n.Person("alice"), n.Person("bob"), n.Person("carol")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		second := n.Blank("bob", "bob/2")
		parts := 0
		smallParts(t, n, second, &parts)
		small := n.Wire.tamper
		var asked []uint64 // from where on
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			if l == second.Link && r.name == api.ReadGroupInfo.Name {
				if q := parsed[api.ReadGroupInfoRequest](t, r.body); q.Room == logID(t, room) {
					asked = append(asked, q.From)
				}
				if len(asked) == 3 {
					if err := alice.Client.AddPeople(t.Context(), room, []string{carol.Client.Me().User}); err != nil {
						t.Error(err)
					}
				}
			}
			return small(l, r)
		}
		if err := n.Link(bob, second); err != nil {
			t.Fatal(err)
		}
		second.MustSync()
		if len(asked) < 5 || !slices.Equal(asked[:5], []uint64{0, 1000, 2000, 0, 1000}) {
			t.Errorf("the tree changed in the midst, and bob/2 asked from %d on", asked)
		}
		n.MustQuiet()
		alice.say(room, "hello")
		n.MustQuiet()
		if got := texts(t, second, room); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("bob/2 shows %q", got)
		}
	})
}

// Parts that can't be a tree end the reading, and not the device's memory.
func TestPartsOfATreeThatDoNotFitAreRefused(t *testing.T) {
	lies := map[string]func(*api.ReadTreeResponse){
		"no part":         func(r *api.ReadTreeResponse) { r.Tree = nil },
		"more than it is": func(r *api.ReadTreeResponse) { r.TreeSize = uint64(len(r.Tree)) - 1 },
		"without end":     func(r *api.ReadTreeResponse) { r.TreeSize = api.MaxTree + 1 },
		"another tree":    func(r *api.ReadTreeResponse) { r.Tree[len(r.Tree)-1] ^= 1 },
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			run(t, 73, func(t *testing.T, n *Net) {
				alice, bob := n.Person("alice"), n.Person("bob")
				n.MustQuiet()
				asked := 0
				n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
					if l != bob.Link || r.name != api.ReadTree.Name {
						return nil, nil, false
					}
					if asked++; asked > 10 {
						return nil, fmt.Errorf("asked again and again"), true
					}
					return changed(t, n, r, lie)
				}
				v, err := alice.Client.NewRoom(t.Context(), "tea", []string{bob.Client.Me().User})
				if err != nil {
					t.Fatal(err)
				}
				_ = bob.Sync() // whether the refusal is an error of the sync's does not matter
				if asked == 0 || asked > 10 {
					t.Errorf("bob asked %d times", asked)
				}
				n.Wire.tamper = nil
				n.MustQuiet()
				alice.say(v.Room, "hello")
				n.MustQuiet()
				if got := texts(t, bob, v.Room); !slices.Equal(got, []string{"hello"}) {
					t.Errorf("bob shows %q, so he did not come in by himself", got)
				}
			})
		})
	}
}
