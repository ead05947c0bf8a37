package client

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sconce/room"
)

// Messages are found by reading them: an index of words would be one more place
// where what burned could stay. The rooms are read side by side, newest first,
// a few items at a time, and one call reads so many; a search that is not at its
// end goes on with the next call. Between calls it holds places and no text.

const (
	maxQuery      = 256  // bytes
	maxHits       = 100  // of one call
	defaultHits   = 50   //
	searchWork    = 4096 // items that one call opens
	searchStride  = 16   // items of a room that are read at a time
	searchesAtOne = 8    // that are remembered
)

// Hit is a message that a search found.
type Hit struct {
	Message  MessageView `json:"message"`
	RoomName string      `json:"roomName"`
}

// SearchView is what a search found, the newest first.
type SearchView struct {
	Hits []Hit  `json:"hits"`
	Next string `json:"next,omitempty"` // goes on where this ended; absent: that was all
}

// search is a search under way.
type search struct {
	id    string
	words []string
	rooms []searchPlace
}

// searchPlace is how far a room was searched.
type searchPlace struct {
	room room.ID
	to   uint64 // everything after it was looked at
	time int64  // nothing before it is newer than this
}

var errSearchOver = errors.New("this search is over: begin anew")

// Search finds messages that hold all words of a query, in any case, in one room
// or with room "" in all. next is "" to begin, and then what the call before
// gave. Work is bounded: a call may find nothing and have a next.
func (c *Client) Search(query, roomID, next string, limit int) (SearchView, error) {
	if len(query) > maxQuery {
		return SearchView{}, fmt.Errorf("what to look for has %d bytes; the limit is %d", len(query), maxQuery)
	}
	if limit <= 0 || limit > maxHits {
		limit = defaultHits
	}
	if err := c.lock(); err != nil {
		return SearchView{}, err
	}
	defer c.mu.Unlock()
	b := c.batch()
	if err := c.sweep(b); err != nil {
		return SearchView{}, err
	}
	s, err := c.searchFor(query, roomID, next)
	if err != nil {
		return SearchView{}, err
	}
	v := SearchView{Hits: []Hit{}}
	for work := searchWork; work > 0 && len(v.Hits) < limit && len(s.rooms) > 0; {
		n, err := c.searchOn(s, &v, limit)
		if err != nil {
			return SearchView{}, err
		}
		work -= max(n, 1)
	}
	slices.SortStableFunc(v.Hits, func(a, b Hit) int { return cmp.Compare(b.Message.Time, a.Message.Time) })
	if len(s.rooms) > 0 {
		v.Next = s.id
		c.searches = append(c.searches, s)
		c.searches = c.searches[max(0, len(c.searches)-searchesAtOne):]
	}
	return v, nil
}

// searchFor begins a search, or takes one up.
func (c *Client) searchFor(query, roomID, next string) (*search, error) {
	if next != "" {
		i := slices.IndexFunc(c.searches, func(s *search) bool { return s.id == next })
		if i < 0 {
			return nil, errSearchOver
		}
		s := c.searches[i]
		c.searches = slices.Delete(c.searches, i, i+1)
		s.id = searchID()
		return s, nil
	}
	s := &search{id: searchID(), words: strings.Fields(strings.ToLower(query))}
	if len(s.words) == 0 {
		return s, nil
	}
	if roomID != "" {
		r, err := c.findRoom(roomID)
		if err != nil {
			return nil, err
		}
		s.rooms = []searchPlace{{r.id, r.Cursor, r.Activity}}
		return s, nil
	}
	for _, r := range c.rooms {
		if r.Kind != room.Self && r.Activity != 0 {
			s.rooms = append(s.rooms, searchPlace{r.id, r.Cursor, r.Activity})
		}
	}
	s.sort()
	return s, nil
}

func searchID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// sort puts the room that may have the newest message first.
func (s *search) sort() {
	slices.SortFunc(s.rooms, func(a, b searchPlace) int {
		return cmp.Or(cmp.Compare(b.time, a.time), slices.Compare(a.room[:], b.room[:]))
	})
}

// searchOn looks at some items of the first room, as long as no other may have
// newer ones, and says how many it opened.
func (c *Client) searchOn(s *search, v *SearchView, limit int) (opened int, err error) {
	at := &s.rooms[0]
	r, ok := c.rooms[at.room]
	if !ok || at.to == 0 {
		s.rooms = s.rooms[1:]
		return 0, nil
	}
	until := int64(-1)
	if len(s.rooms) > 1 {
		until = s.rooms[1].time
	}
	type item struct {
		seq uint64
		*itemRecord
	}
	var part []item
	low := at.to - min(at.to, searchStride) + 1
	if err := c.eachItem(r, low, at.to, func(seq uint64, it *itemRecord) error {
		if !c.ranOut(it) {
			part = append(part, item{seq, it})
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for _, it := range slices.Backward(part) {
		at.time = min(at.time, it.Time)
		if at.time < until { // another room may have newer ones: its turn, and then this item's
			at.to = it.seq
			s.sort()
			return len(part), nil
		}
		at.to = it.seq - 1
		if it.found(s.words) {
			v.Hits = append(v.Hits, Hit{Message: c.itemView(nil, r, it.seq, it.itemRecord), RoomName: c.roomName(r)})
		}
		if len(v.Hits) == limit {
			return len(part), nil
		}
	}
	at.to = low - 1
	return len(part), nil
}

// found reports whether an item holds all of the words.
func (it *itemRecord) found(words []string) bool {
	if it.Deleted || it.Kind != "text" && it.Kind != "reply" {
		return false
	}
	text := strings.ToLower(it.Text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
