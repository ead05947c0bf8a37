package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
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
// has none either. What can't be read as a request is answered with the id that
// its beginning shows, or with null.
type (
	request struct {
		ID     int64           `json:"id,omitempty"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params,omitempty"`
	}
	reply struct {
		ID     json.RawMessage `json:"id,omitempty"`
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

// headLength is how much of a line is looked at for the id of a request that
// can't be carried out.
const headLength = 1 << 10

// idIn finds the id that a request begins with, whatever comes after: a caller
// waits for the answer to just that one. It is null where none can be read.
func idIn(line []byte) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(line[:min(len(line), headLength)]))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return unknownID
	}
	for {
		key, err := d.Token()
		if err != nil {
			return unknownID
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return unknownID
		}
		if key == "id" {
			id, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return unknownID
			}
			return encodeID(id)
		}
	}
}

var unknownID = json.RawMessage("null")

// encodeID gives an id as an answer carries it: 0, as when a request has none, is
// none.
func encodeID(id int64) json.RawMessage {
	if id == 0 {
		return nil
	}
	return strconv.AppendInt(nil, id, 10)
}

// readLine reads one line, without its end. A line over the limit is skipped and
// gives errTooLong and its beginning; the next call reads the next line.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong && len(line)+len(part) > limit+len("\r\n") {
			tooLong, line = true, headOf(append(line, part...))
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
			return line, errTooLong
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > limit {
			return headOf(line), errTooLong
		}
		return line, nil
	}
}

// headOf copies the beginning, so that the rest is nobody's any more.
func headOf(line []byte) []byte { return bytes.Clone(line[:min(len(line), headLength)]) }

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
