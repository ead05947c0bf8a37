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
	Limit  int    `json:"limit,omitempty"`  // 50 if 0; at most 500
}

// Messages reads a room's timeline, the oldest first, those that still wait to
// be sent last.
var Messages = Method[MessagesParams, []client.MessageView]{"messages", func(_ context.Context, c *client.Client, p MessagesParams) ([]client.MessageView, error) {
	if p.Before < 0 || p.Limit < 0 || p.Limit > maxMessages {
		return nil, Errorf(Params, "before is 0 or a seq, limit is 1 to %d", maxMessages)
	}
	if p.Limit == 0 {
		p.Limit = defaultMessages
	}
	return list(c.Messages(p.Room, p.Before, p.Limit))
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
