package client

import (
	"context"

	"sconce/api"
	"sconce/content"
	"sconce/mls"
	"sconce/room"
)

// WithoutRules takes the room's rules away, for a test's control. Call it before
// the client opens a group.
func (c *Client) WithoutRules() { c.rules = anything{} }

// anything approves of every commit and proposal.
type anything struct{ room.Rules }

func (anything) Commit(*mls.CommitView) error     { return nil }
func (anything) Proposal(*mls.ProposalView) error { return nil }

// Post sends any message to a room, as a modified client can.
func (c *Client) Post(id string, m *content.Message) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	r, err := c.findRoom(id)
	if err != nil {
		return err
	}
	_, err = c.post(c.batch(), r, m)
	return err
}

// TypingSignal makes the signal that Typing sends, and TakeSignal takes what a
// server pushes.
func (c *Client) TypingSignal(id string) (*api.SignalRequest, error) { return c.typingSignal(id) }
func (c *Client) TakeSignal(p *api.Push)                             { c.takeSignal(p) }

// Pushed takes pushes that came at once, as Run does.
func (c *Client) Pushed(ctx context.Context, pushes ...*api.Push) error {
	more := make(chan *api.Push, len(pushes))
	for _, p := range pushes[1:] {
		more <- p
	}
	return c.pushed(ctx, pushes[0], more)
}

// Roused reports whether something is there for Run to do, and forgets it.
func (c *Client) Roused() bool {
	select {
	case <-c.wake:
		return true
	default:
		return false
	}
}
