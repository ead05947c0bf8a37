package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"sconce/api"
)

// bent gives what may become of a request on its way to harm: cut short, longer,
// twice, again, too large, out of order, with another bit, and plain noise.
func bent(random *rand.Rand, r request) []request {
	body := r.body
	all := [][]byte{
		nil, body, body, // replayed
		append(bytes.Clone(body), 0), append(bytes.Clone(body), body...),
		append(bytes.Clone(body[len(body)/2:]), body[:len(body)/2]...),
		make([]byte, api.MaxBody+1),
		{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, // more fields than there are bytes
		{0xa1, 0x01, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		bytes.Repeat([]byte{0x81}, 100_000), // lists within lists
	}
	for range 6 {
		all = append(all, body[:random.IntN(len(body)+1)])
		noise := make([]byte, random.IntN(100))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		all = append(all, noise)
	}
	for range 24 {
		flipped := bytes.Clone(body)
		if len(flipped) > 0 {
			flipped[random.IntN(min(len(flipped), 1+random.IntN(len(flipped))))] ^= 1 << random.IntN(8) // rather near the beginning
		}
		all = append(all, flipped)
	}
	requests := []request{{r.name, nil, body}, {r.name, make([]byte, 32), body}, {r.name, append(bytes.Clone(r.token), 0), body}}
	for _, b := range all {
		requests = append(requests, request{r.name, r.token, b})
	}
	return requests
}

// recordCalls keeps the latest request of each kind of a person's devices.
func (n *Net) recordCalls(person string) map[string]request {
	latest := map[string]request{}
	n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
		if l.device.Person == person {
			latest[r.name] = *r
		}
		return nil, nil, false
	}
	return latest
}

// Somebody with a login sends what no client sends, to every endpoint. Each call
// ends with an answer or a code that says what is wrong, the server does not grow
// by what it refused, and the others never notice.
func TestBentRequestsHarmNobody(t *testing.T) {
	run(t, 73, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		mallory := n.device("mallory", "mallory/1")
		recorded := n.recordCalls("mallory")
		n.Join(mallory)
		n.MustQuiet()
		room := n.room("tea", alice, bob, mallory)
		n.room("others", mallory, alice)
		second := n.mustLink(mallory, "mallory/2")
		mallory.say(room, "one")
		if err := mallory.Client.Typing(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		n.Wire.tamper = nil
		for _, name := range n.server.registry.Names() {
			if _, ok := recorded[name]; !ok {
				t.Logf("%s is called with made up requests alone", name)
				recorded[name] = request{name, recorded[api.Rooms.Name].token, []byte{0xa0}}
			}
		}
		alice.say(room, "two")
		n.MustQuiet()

		mallory.Link.Offline, second.Link.Offline = true, true
		random := rand.New(rand.NewPCG(73, 0))
		before, taken, calls := n.size(), int64(0), 0
		for _, name := range slices.Sorted(maps.Keys(recorded)) {
			for i, r := range bent(random, recorded[name]) {
				n.Clock.Advance(time.Second) // or limits would hide the rest
				_, err := n.Wire.deliver(context.Background(), r)
				calls++
				if err == nil {
					taken += int64(len(r.body))
					continue
				}
				if e, ok := errors.AsType[*api.Error](err); !ok || e.Code == "" || e.Code == api.Internal || e.Message == "" {
					t.Errorf("%s, bent the %d. way: %v", name, i, err)
				}
			}
		}
		n.Settle()
		if grown := n.size() - before; grown > taken {
			t.Errorf("of %d calls the server took %d bytes, and its files grew by %d", calls, taken, grown)
		}

		alice.say(room, "three")
		bob.say(room, "four")
		n.MustQuiet()
		for _, d := range []*Device{alice, bob} {
			if got, want := texts(t, d, room), []string{"one", "two", "three", "four"}; !slices.Equal(got, want) {
				t.Errorf("%s shows %q, want %q", d.Name, got, want)
			}
			if v := viewOf(t, d, room); v.Alarm != "" {
				t.Errorf("%s has an alarm: %s", d.Name, v.Alarm)
			}
		}
	})
}

// size is how much the server's files have.
func (n *Net) size() (total int64) {
	n.t.Helper()
	for _, file := range n.server.db.Files() {
		info, err := os.Stat(file)
		if err != nil {
			n.t.Fatal(fmt.Errorf("measuring the database: %w", err))
		}
		total += info.Size()
	}
	return total
}
