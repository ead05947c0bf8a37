// Package screen is a full-screen chat on a terminal: conversations, a timeline,
// a composer. Begin with [Run] on a door.
//
// It is made like a small machine: a model, a pure next that takes what happened
// (a key, an event of the client, a second that went by) and gives wishes, and a
// frame that is drawn from the model alone. Nothing but Run touches a clock, the
// terminal or the door, so every screen is tested without one. What comes
// through the door is made safe for a terminal as it comes in, by package plain,
// and nowhere else.
package screen

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/cmd/sconce/plain"
)

// Options is where the screen is drawn.
type Options struct {
	In  io.Reader
	Out io.Writer
	Env []string // as os.Environ gives it: TERM, NO_COLOR and their like
	// Lock is how long nobody may touch a key before Run returns [ErrLocked]; 0
	// is for ever.
	Lock time.Duration
}

// ErrLocked says that the person locked the screen, or was away for too long.
// The caller closes the store and asks for the passphrase again.
var ErrLocked = errors.New("locked")

// ErrLost says that the door's client is gone: the other process that held the
// store has ended.
var ErrLost = errors.New("the process that held the store has ended")

// Run shows the chat until the person leaves it, and returns nil then. When ctx
// ends first it returns why.
func Run(ctx context.Context, door bridge.Door, o Options) error {
	events, cancel, err := door.Subscribe(ctx) // before anything is read, so that nothing falls between
	if err != nil {
		return err
	}
	within, stop := context.WithCancel(ctx)
	s := &stage{ctx: within, door: door, model: newModel(time.Now(), o.Lock)}
	p := tea.NewProgram(s, tea.WithContext(within), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Env), tea.WithoutSignalHandler())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.listen(events, cancel, p.Send)
	}()
	_, err = p.Run()
	s.part(ctx)
	stop()
	<-done
	switch {
	case s.model.ended != nil:
		return s.model.ended
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.model.left:
		return nil
	}
	return err
}

// stage joins the model to the terminal and the door.
type stage struct {
	ctx   context.Context
	door  bridge.Door
	model *model
	last  chan struct{} // closed when the newest of the wishes that keep their order is done
}

// part keeps what was written and not sent.
func (s *stage) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for _, w := range s.model.keepDraft() {
		_, _ = w.call(ctx, s.door) // nobody is there to be told
	}
}

// Init implements tea.Model.
func (s *stage) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, s.carry(s.model.begin()), tick())
}

// Update implements tea.Model.
func (s *stage) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	wishes := s.model.next(time.Now(), msg)
	cmds := []tea.Cmd{s.carry(wishes)}
	if _, ok := msg.(second); ok {
		cmds = append(cmds, tick())
	}
	if text := s.model.copied; text != "" {
		s.model.copied = ""
		cmds = append(cmds, tea.SetClipboard(text))
	}
	if s.model.left {
		cmds = append(cmds, tea.Quit)
	}
	return s, tea.Batch(cmds...)
}

// View implements tea.Model.
func (s *stage) View() tea.View {
	f := s.model.frame()
	v := tea.NewView(f.content)
	v.AltScreen, v.ReportFocus, v.Cursor, v.WindowTitle = true, true, f.cursor, f.title
	return v
}

func tick() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return second{} }) }

// second is that one went by.
type second struct{}

// carry makes the wishes come true, and sends the model what came of them.
func (s *stage) carry(wishes []wish) tea.Cmd {
	var all []tea.Cmd
	for _, w := range wishes {
		if !w.inOrder {
			all = append(all, func() tea.Msg { return w.carry(s.ctx, s.door) })
			continue
		}
		before, done := s.last, make(chan struct{})
		s.last = done
		all = append(all, func() tea.Msg {
			defer close(done)
			if before != nil {
				<-before
			}
			return w.carry(s.ctx, s.door)
		})
	}
	return tea.Batch(all...)
}

// listen hands the door's events to the screen, and says so when some were lost.
func (s *stage) listen(events <-chan client.Event, cancel func(), send func(tea.Msg)) {
	for {
		s.forward(events, send)
		cancel()
		if s.ctx.Err() != nil {
			return
		}
		var err error
		if events, cancel, err = s.door.Subscribe(s.ctx); err != nil {
			send(lost{})
			return
		}
		send(behind{})
	}
}

func (s *stage) forward(events <-chan client.Event, send func(tea.Msg)) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			send(plain.All(e))
		}
	}
}

// behind says that events were lost: what is on the screen is to be read anew.
type behind struct{}

// lost says that there is no client behind the door any more.
type lost struct{}

// wish is something that the model wants done.
type wish struct {
	method  string // the call's name
	inOrder bool   // after those before it: two messages arrive as they were typed
	call    func(context.Context, bridge.Door) (answer, error)
	instead func(*model) // what the model does when it does not come true; may be nil
	quiet   bool         // nobody is told when it does not
}

// answer is what the model does once a wish came true.
type answer func(*model) []wish

// ask wishes for a call. Where it fails, the person is told why.
func ask[P, R any](call bridge.Method[P, R], p P, then func(*model, R) []wish) wish {
	return wish{method: call.Name, call: func(ctx context.Context, d bridge.Door) (answer, error) {
		result, err := call.Call(ctx, d, p)
		if err != nil || then == nil {
			return func(*model) []wish { return nil }, err
		}
		result = plain.All(result)
		return func(m *model) []wish { return then(m, result) }, nil
	}}
}

// tell is ask for what changes something: such calls keep their order.
func tell[P, R any](call bridge.Method[P, R], p P, then func(*model, R) []wish) wish {
	w := ask(call, p, then)
	w.inOrder = true
	return w
}

// carry makes the wish come true, or not.
func (w wish) carry(ctx context.Context, d bridge.Door) answer {
	then, err := w.call(ctx, d)
	if err == nil {
		return then
	}
	return func(m *model) []wish {
		if !w.quiet {
			m.fail(err)
		}
		if w.instead != nil {
			w.instead(m)
		}
		return nil
	}
}
