package main

import (
	"context"
	"fmt"
	"strings"

	"sconce/client"
)

// character is what a simulated person is like.
type character struct {
	name   string
	greets bool // writes to whoever joins
	// reply answers a message; before is how many this person has answered in the
	// room already.
	reply func(ctx context.Context, c *client.Client, r client.RoomView, m client.MessageView, before int) error
}

var characters = []character{
	{name: "Ada", greets: true, reply: ada},
	{name: "Ben", reply: ben},
}

const greeting = "I am Ada, a program: this demo has two, Ben and me, so that you can try everything alone. " +
	"We have keys of our own like any other person here, so we can read what you write to us. The server can't. " +
	"Write something back: sconce send Ada 'How are you?'"

func greetingFor(name string) string { return "Hello " + name + ". " + greeting }

func isGreeting(text string) bool { return strings.HasSuffix(text, greeting) }

// ada answers with what to try next; in a room, that she can read.
func ada(ctx context.Context, c *client.Client, r client.RoomView, m client.MessageView, before int) error {
	if r.Kind != "direct" {
		return send(c, r, m, fmt.Sprintf("%s We are %d people here, on %d devices.", seen(m), len(r.Members), devices(r)))
	}
	lesson, err := lesson(ctx, c, m.Sender, before)
	if err != nil {
		return err
	}
	return send(c, r, m, seen(m)+" "+lesson)
}

// lesson is the nth thing to try.
func lesson(ctx context.Context, c *client.Client, visitor string, n int) (string, error) {
	switch n {
	case 0:
		return "On its way it was sealed: the server saw who wrote to whom and when, and a padded size. " +
			"Now make a room with both of us: sconce room new Lunch Ada Ben", nil
	case 1:
		return "Now something that burns: sconce send Ada 'for your eyes' --burn 10s. It is gone from your device ten seconds " +
			"after you have sent it, and from mine ten seconds after I have read it.", nil
	case 2:
		safety, err := c.Safety(ctx, visitor)
		return "Now look at our safety number: sconce verify Ada. Mine is " + safety.Number + ". Between people, compare it face to " +
			"face or on the phone: whoever stood between us could change what is written here.", err
	case 3:
		return "Now stop the server with Ctrl-C, write to me, and start it again: your message waits on your device, and goes out once.", nil
	}
	return "That is all I was made to tell. Ben and I go on answering.", nil
}

// ben says little: in rooms a thumb and a reply.
func ben(_ context.Context, c *client.Client, r client.RoomView, m client.MessageView, _ int) error {
	if r.Kind == "direct" {
		return send(c, r, m, seen(m)+" I am Ben, the other program. Ada has more to tell.")
	}
	if err := c.React(r.Room, m.ID, "👍"); err != nil {
		return err
	}
	_, err := c.Send(r.Room, client.Draft{Text: "A thumb from me, and this is a reply.", ReplyTo: m.ID})
	return err
}

// send writes with the timers of what it answers.
func send(c *client.Client, r client.RoomView, m client.MessageView, text string) error {
	_, err := c.Send(r.Room, client.Draft{Text: text, Burn: m.Burn})
	return err
}

// seen says that a message was read. What is meant to vanish is not repeated.
func seen(m client.MessageView) string {
	if m.Burn > 0 || m.Expires > 0 {
		return "I have read it, and do not repeat it, because it is meant to vanish."
	}
	const longest = 60
	text := []rune(strings.Join(strings.Fields(m.Text), " "))
	if len(text) > longest {
		text = append(text[:longest], '…')
	}
	return "I can read “" + string(text) + "”."
}

func devices(r client.RoomView) (n int) {
	for _, m := range r.Members {
		n += m.Devices
	}
	return n
}
