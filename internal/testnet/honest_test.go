package testnet

import (
	"fmt"
	"testing"

	"sconce/api"
	"sconce/client"
)

// The server bounds how often a device may look things up: 60,000 times a minute
// in logs and lists of rooms, 6,000 times in ten minutes at device logs and at
// people. What honest clients need grows with their rooms and messages, so that of
// few tells that of many: nobody comes near.
func TestLookupsOfHonestClientsAreFew(t *testing.T) {
	run(t, 436, func(t *testing.T, n *Net) {
		const rooms, messages, often = 10, 1000, 100
		alice, bob := n.Person("alice"), n.Person("bob")
		users := []string{bob.Client.Me().User}
		for i := range 4 {
			users = append(users, n.Person(fmt.Sprint("member", i)).Client.Me().User)
		}
		n.MustQuiet()
		var ids []string
		for i := range rooms {
			v, err := alice.Client.NewRoom(t.Context(), fmt.Sprint("room ", i), users)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, v.Room)
		}
		n.MustQuiet()
		calls := map[string]int{} // by device and name
		n.Wire.before = func(l *Link, r request) { calls[l.name+" "+r.name]++ }
		counts := func(what string, d *Device, times int) {
			t.Helper()
			reads := (calls[d.Name+" "+api.Read.Name] + calls[d.Name+" "+api.Rooms.Name]) * times
			logs, people := calls[d.Name+" "+api.Logs.Name]*times, calls[d.Name+" "+api.People.Name]*times
			t.Logf("%s: %d reads, %d of device logs, %d of people", what, reads, logs, people)
			if reads > 60_000*2/3 || logs > 6000/2 || people > 6000/2 {
				t.Errorf("%s takes %d reads, %d of device logs, %d of people", what, reads, logs, people)
			}
			clear(calls)
		}
		phone := n.mustLink(alice, "alice/2")
		phone.MustSync()
		counts("a new device in 1,000 rooms", phone, 1000/rooms)
		n.MustQuiet()
		clear(calls)

		bob.Link.Offline = true
		for i := range messages {
			if _, err := alice.Client.Send(ids[i%rooms], client.Draft{Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		alice.MustSync()
		bob.Link.Offline = false
		bob.MustSync()
		counts("catching up 10,000 messages", bob, 10_000/messages)

		for i := range often {
			alice.say(ids[0], fmt.Sprint("again ", i))
		}
		counts("saying 6,000 in a minute, each by itself", alice, 6000/often)
	})
}
