package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sconce/api"
)

// dripping is the way to a server that begins to answer and never ends.
type dripping struct{}

func (dripping) Post(ctx context.Context, _ string, _, _ []byte, _ int) (*Answer, error) {
	<-ctx.Done()
	return nil, errors.New("the body broke off")
}

func (dripping) Dial(context.Context, string) (Conn, error) { return nil, errors.ErrUnsupported }

// Calls are made one after the other, so one that never ends would be the last.
func TestAnswerThatNeverEndsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := New("chat.example.org", dripping{}).Call(t.Context(), api.Rooms.Name, []byte{1}, []byte{0xa0})
		if _, ok := errors.AsType[*UnreachableError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an answer that is late", err)
		}
		if d := time.Since(began); d != postTimeout {
			t.Errorf("it was given up after %v", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := New("chat.example.org", dripping{}).Call(ctx, api.Rooms.Name, nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's own end", err)
		}
	})
}
