package bridge

import (
	"context"

	"sconce/client"
)

const (
	defaultMessages = 50
	maxMessages     = 500
)

// MessagesParams is what [Messages] takes.
type MessagesParams struct {
	Room   string `json:"room"`
	Before int    `json:"before,omitempty"` // a message's seq; 0 for the newest
	After  int    `json:"after,omitempty"`  // or: those after this seq
	Around int    `json:"around,omitempty"` // or: half of them up to this seq, half after it
	Limit  int    `json:"limit,omitempty"`  // 50 if 0; at most 500
}

// Messages reads a room's timeline, the oldest first, those that still wait to
// be sent last. Of before, after and around it takes one.
var Messages = Method[MessagesParams, []client.MessageView]{"messages", func(_ context.Context, c *client.Client, p MessagesParams) ([]client.MessageView, error) {
	if p.Before < 0 || p.After < 0 || p.Around < 0 || p.Limit < 0 || p.Limit > maxMessages {
		return nil, Errorf(Params, "before, after and around are 0 or a seq, limit is 1 to %d", maxMessages)
	}
	if set := min(p.Before, 1) + min(p.After, 1) + min(p.Around, 1); set > 1 {
		return nil, Errorf(Params, "give one of before, after and around")
	}
	if p.Limit == 0 {
		p.Limit = defaultMessages
	}
	switch {
	case p.After > 0:
		return list(c.MessagesAfter(p.Room, p.After, p.Limit))
	case p.Around > 0:
		return list(c.MessagesAround(p.Room, p.Around, p.Limit))
	}
	return list(c.Messages(p.Room, p.Before, p.Limit))
}}

// MessageParams is what [Message] takes.
type MessageParams struct {
	Room string `json:"room"`
	ID   string `json:"id"`
}

// Message reads one message that is here.
var Message = Method[MessageParams, client.MessageView]{"message", func(_ context.Context, c *client.Client, p MessageParams) (client.MessageView, error) {
	return c.Message(p.Room, p.ID)
}}

// MessageOfParams is what [History], [Retry] and [Discard] take.
type MessageOfParams struct {
	Room    string `json:"room"`
	Message string `json:"message"`
}

// History reads what an edited message said before, the newest first. It goes
// with the message.
var History = Method[MessageOfParams, []client.EarlierView]{"history", func(_ context.Context, c *client.Client, p MessageOfParams) ([]client.EarlierView, error) {
	return list(c.History(p.Room, p.Message))
}}

// Retry sends a message of one's own again that failed, or of which it is unknown
// whether it was sent: nobody is shown it twice.
var Retry = Method[MessageOfParams, None]{"retry", func(_ context.Context, c *client.Client, p MessageOfParams) (None, error) {
	return None{}, c.Retry(p.Room, p.Message)
}}

// Discard drops a message of one's own that failed or still waits. One that may
// be on its way already is refused: delete it once it is sent.
var Discard = Method[MessageOfParams, None]{"discard", func(_ context.Context, c *client.Client, p MessageOfParams) (None, error) {
	return None{}, c.Discard(p.Room, p.Message)
}}

// SearchParams is what [Search] takes.
type SearchParams struct {
	Query  string `json:"query"`            // words; a message holds all of them, in any case
	Room   string `json:"room,omitempty"`   // absent: all rooms
	Before string `json:"before,omitempty"` // next of the call before, to go on
	Limit  int    `json:"limit,omitempty"`  // 50 if 0; at most 100
}

// Search finds messages that this device holds, the newest first. Each call reads
// so many: one may find nothing and still have a next. What is gone is not found.
var Search = Method[SearchParams, client.SearchView]{"search", func(_ context.Context, c *client.Client, p SearchParams) (client.SearchView, error) {
	if p.Limit < 0 || p.Limit > 100 {
		return client.SearchView{}, Errorf(Params, "limit is 1 to 100")
	}
	return c.Search(p.Query, p.Room, p.Before, p.Limit)
}}

// SendParams is what [Send] takes.
type SendParams struct {
	Room string `json:"room"`
	client.Draft
}

// Send queues a message. It is on this device's disk when the call returns, and
// goes out as soon as the server can be reached; events tell.
var Send = Method[SendParams, client.MessageView]{"send", func(_ context.Context, c *client.Client, p SendParams) (client.MessageView, error) {
	return c.Send(p.Room, p.Draft)
}}

// DraftParams is what [Draft] takes.
type DraftParams struct {
	Room    string `json:"room"`
	Text    string `json:"text"` // empty drops it
	ReplyTo string `json:"replyTo,omitempty"`
}

// Draft keeps what the person began to write in a room, on this device alone.
var Draft = Method[DraftParams, None]{"draft", func(_ context.Context, c *client.Client, p DraftParams) (None, error) {
	return None{}, c.SetDraft(p.Room, p.Text, p.ReplyTo)
}}

// Typing tells the people of a small room who are there that this person is
// writing. Call it while they do: more often than every four seconds it does
// nothing.
var Typing = Method[RoomParams, None]{"typing", func(ctx context.Context, c *client.Client, p RoomParams) (None, error) {
	return None{}, c.Typing(ctx, p.Room)
}}

// ReactParams is what [React] takes.
type ReactParams struct {
	Room    string `json:"room"`
	Message string `json:"message"`
	Emoji   string `json:"emoji"`
}

// React puts an emoji under a message.
var React = Method[ReactParams, None]{"react", func(_ context.Context, c *client.Client, p ReactParams) (None, error) {
	return None{}, c.React(p.Room, p.Message, p.Emoji)
}}

// UnreactParams is what [Unreact] takes.
type UnreactParams struct {
	Room     string `json:"room"`
	Message  string `json:"message"`
	Reaction string `json:"reaction"` // ReactionView.mine
}

// Unreact takes one's own emoji back.
var Unreact = Method[UnreactParams, None]{"unreact", func(_ context.Context, c *client.Client, p UnreactParams) (None, error) {
	return None{}, c.Unreact(p.Room, p.Message, p.Reaction)
}}

// EditParams is what [Edit] takes.
type EditParams struct {
	Room    string `json:"room"`
	Message string `json:"message"`
	Text    string `json:"text"`
}

// Edit replaces the text of one's own message.
var Edit = Method[EditParams, None]{"edit", func(_ context.Context, c *client.Client, p EditParams) (None, error) {
	return None{}, c.Edit(p.Room, p.Message, p.Text)
}}

// DeleteParams is what [Delete] takes.
type DeleteParams struct {
	Room    string `json:"room"`
	Message string `json:"message"`
}

// Delete asks every device in the room to drop one's own message.
var Delete = Method[DeleteParams, None]{"delete", func(_ context.Context, c *client.Client, p DeleteParams) (None, error) {
	return None{}, c.Delete(p.Room, p.Message)
}}

// ViewParams is what [View] takes.
type ViewParams struct {
	Room string `json:"room"`
	UpTo int    `json:"upTo"` // seq of the last message on the screen
}

// View tells that the person has seen a room up to a place: on all of their
// devices it counts as read, and what burns after reading begins to.
var View = Method[ViewParams, None]{"view", func(_ context.Context, c *client.Client, p ViewParams) (None, error) {
	return None{}, c.View(p.Room, p.UpTo)
}}

// Sync talks with the server until nothing is left to send or to fetch. A
// client that runs does so by itself; the call returns when it is done.
var Sync = Method[None, None]{"sync", func(ctx context.Context, c *client.Client, _ None) (None, error) {
	return None{}, c.Sync(ctx)
}}
