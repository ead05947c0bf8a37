package journal

import (
	"slices"
	"sync"

	"sconce/api"
)

// Sink takes what is pushed to a device. Push is called by the committer, so it
// must not wait: a sink that is full drops the frame, and later says only how
// far the log goes. frame is an encoded [api.Frame] shared by all receivers.
type Sink = interface {
	Push(log api.LogID, last uint64, frame []byte)
}

// maxPush is how many bytes of messages go into one push. For a larger message
// the push says only that there is something to read.
const maxPush = 256 << 10

// sinks is who listens. A device's list is replaced, never changed.
type sinks struct {
	mu       sync.RWMutex
	byDevice map[api.DeviceID][]*Sink
}

// Subscribe sends what is appended from now on to a device's logs to s, until
// cancel. A device may listen in several places.
func (j *Journal) Subscribe(device api.DeviceID, s Sink) (cancel func()) {
	place := &s
	j.sinks.mu.Lock()
	defer j.sinks.mu.Unlock()
	if j.sinks.byDevice == nil {
		j.sinks.byDevice = map[api.DeviceID][]*Sink{}
	}
	j.sinks.byDevice[device] = append(slices.Clone(j.sinks.byDevice[device]), place)
	return func() { // a second call finds nothing to do
		j.sinks.mu.Lock()
		defer j.sinks.mu.Unlock()
		rest := slices.DeleteFunc(slices.Clone(j.sinks.byDevice[device]), func(p *Sink) bool { return p == place })
		if len(rest) == 0 {
			delete(j.sinks.byDevice, device)
		} else {
			j.sinks.byDevice[device] = rest
		}
	}
}

// push sends a plan's entries to every open window that holds them. Entries
// that all have the same readers go in one frame, encoded once.
func (j *Journal) push(p *plan) {
	j.sinks.mu.RLock()
	nobody := len(j.sinks.byDevice) == 0
	j.sinks.mu.RUnlock()
	if nobody {
		return
	}
	for rest := p.entries; len(rest) > 0; {
		n := run(rest)
		j.pushRun(p.log, rest[:n])
		rest = rest[n:]
	}
}

// run gives how many of the entries fit one push: at least one. An entry that
// changes who reads the log goes by itself.
func run(entries []*api.Entry) int {
	size := 0
	for i, e := range entries {
		size += len(e.Message)
		if i > 0 && (size > maxPush || e.Kind != api.EntryApplication) {
			return i
		}
	}
	return len(entries)
}

func (j *Journal) pushRun(l *Log, entries []*api.Entry) {
	first, last := entries[0].Seq, entries[len(entries)-1].Seq
	var frame []byte
	for _, s := range j.receivers(l, first, last) {
		if frame == nil {
			var err error
			if frame, err = encodePush(l.id, entries); err != nil {
				j.log.Error("encoding push", "err", err)
				return
			}
		}
		(*s).Push(l.id, last, frame)
	}
}

// receivers gives the sinks of all windows that hold the entries from first to
// last.
func (j *Journal) receivers(l *Log, first, last uint64) []*Sink {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.sinks.mu.RLock()
	defer j.sinks.mu.RUnlock()
	all := make([]*Sink, 0, len(l.windows))
	for device, w := range l.windows {
		if w.from <= first && last <= w.end(last) {
			all = append(all, j.sinks.byDevice[device]...)
		}
	}
	return all
}

func encodePush(id api.LogID, entries []*api.Entry) ([]byte, error) {
	push := api.Push{Log: id, Last: entries[len(entries)-1].Seq}
	if len(entries) > 1 || len(entries[0].Message) <= maxPush {
		push.Entries = make([]api.Entry, len(entries))
		for i, e := range entries {
			push.Entries[i] = *e
		}
	}
	return api.Marshal(api.Frame{Push: &push})
}
