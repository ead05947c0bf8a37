package testnet

import (
	"encoding/hex"
	"fmt"
	"testing"

	"sconce/api"
	"sconce/client/clienttest"
	"sconce/mls"
)

// attack gives all that can be read from a disk, everything that was ever
// written to its store, and the passphrase.
func attack(disk *clienttest.Disk, recorder *clienttest.Recorder) (string, error) {
	found, err := clienttest.Attack(disk, recorder, Passphrase)
	var all []byte
	for _, p := range found {
		all = append(append(all, p.Value...), 0)
	}
	return string(all), err
}

// record keeps every entry of a room that the server takes.
func record(n *Net, room string, to *[]api.Entry) func(*Link, *request) ([]byte, error, bool) {
	return func(l *Link, r *request) ([]byte, error, bool) {
		if r.name != api.Read.Name {
			return nil, nil, false
		}
		var req api.ReadRequest
		var resp api.ReadResponse
		answer, err := n.Wire.deliver(n.t.Context(), *r)
		if err == nil && api.Unmarshal(r.body, &req) == nil && api.Unmarshal(answer, &resp) == nil && fmt.Sprintf("%x", req.Log[:]) == room {
			for _, e := range resp.Entries {
				if k := len(*to); k == 0 || (*to)[k-1].Seq < e.Seq {
					*to = append(*to, e)
				}
			}
		}
		return answer, err, true
	}
}

// replay is a server that gives a device recorded entries of a room as if it
// were in it, leaving out what keep says no to.
func replay(room string, recorded []api.Entry, keep func(api.Entry) bool) func(*Link, *request) ([]byte, error, bool) {
	var entries []api.Entry
	for _, e := range recorded {
		if keep(e) {
			e.Seq = recorded[0].Seq + uint64(len(entries)) // without gaps
			entries = append(entries, e)
		}
	}
	return func(l *Link, r *request) ([]byte, error, bool) {
		switch r.name {
		case api.Rooms.Name:
			status := api.RoomStatus{Kind: 1, Member: true, From: entries[0].Seq, Last: entries[len(entries)-1].Seq, Cursor: entries[0].Seq - 1}
			id, err := hex.DecodeString(room)
			if err != nil {
				return nil, err, true
			}
			copy(status.Room[:], id)
			return must(api.Marshal(&api.RoomsResponse{Rooms: []api.RoomStatus{status}})), nil, true
		case api.Read.Name:
			var req api.ReadRequest
			if api.Unmarshal(r.body, &req) != nil || fmt.Sprintf("%x", req.Log[:]) != room {
				return nil, nil, false
			}
			resp := &api.ReadResponse{Last: entries[len(entries)-1].Seq}
			for _, e := range entries {
				if e.Seq > req.After {
					resp.Entries = append(resp.Entries, e)
				}
			}
			return must(api.Marshal(resp)), nil, true
		}
		return nil, nil, false
	}
}

func epochIn(t *testing.T, message []byte) uint64 {
	t.Helper()
	m, err := mls.ParseMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	_, epoch, _, ok := m.Group()
	if !ok {
		t.Fatal("a message of no group")
	}
	return epoch
}
