package client

import (
	"testing"

	"sconce/identity"
)

// Many people together must not make one message grow without end.
func TestReactionsOfManyAreLimited(t *testing.T) {
	it := &itemRecord{}
	for person := range 200 {
		for range maxOwnReactions + 1 {
			if u := (identity.UserID{byte(person)}); it.takesReaction(u) {
				it.Reactions = append(it.Reactions, reactionRecord{User: u, Emoji: "x"})
			}
		}
	}
	if len(it.Reactions) != maxReactions {
		t.Errorf("a message took %d reactions, want %d", len(it.Reactions), maxReactions)
	}
}
