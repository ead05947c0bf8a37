package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"sconce/client"
)

// The framing: each line is one JSON object, from the caller a request, to the
// caller an answer or an event.
//
//	→ {"id":1,"method":"send","params":{"room":"…","text":"hello"}}
//	← {"id":1,"result":{…}}   or   {"id":1,"error":{"code":"…","message":"…"}}
//	→ {"id":2,"method":"subscribe"}
//	← {"id":2,"result":{}}
//	← {"event":{…}}           as often as something happens
//	← {"end":"…"}             no more events: the caller was too slow, or the client closed
//	→ {"id":3,"method":"unsubscribe"}
//
// Requests run at once and are answered in any order. Without an id, the answer
// has none either.
type (
	request struct {
		ID     int64           `json:"id,omitempty"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params,omitempty"`
	}
	reply struct {
		ID     int64           `json:"id,omitempty"`
		Result json.RawMessage `json:"result,omitempty"`
		Error  *Error          `json:"error,omitempty"`
		Event  *client.Event   `json:"event,omitempty"`
		End    string          `json:"end,omitempty"`
	}
)

const (
	subscribe   = "subscribe"
	unsubscribe = "unsubscribe"
)

// maxAnswer bounds a line that a Remote reads.
const maxAnswer = 64 << 20

var errTooLong = errors.New("line is too long")

// readLine reads one line, without its end. A line over the limit is skipped and
// gives errTooLong; the next call reads the next line.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > limit+len("\r\n") {
			tooLong, line = true, nil
		}
		if !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !tooLong):
			return nil, err
		case tooLong:
			return nil, errTooLong
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > limit {
			return nil, errTooLong
		}
		return line, nil
	}
}

// lineWriter writes whole lines from several goroutines.
type lineWriter struct {
	mu  sync.Mutex
	w   io.Writer
	err error // the first one: after it the other end can't tell lines apart
}

func (l *lineWriter) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.w.Write(append(b, '\n'))
	}
	return l.err
}
