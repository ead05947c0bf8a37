package journal

import (
	"context"

	"sconce/api"
)

// Signal hands a few bytes to the devices that listen to a log at this moment,
// but for the one that sends them. It reports false if that one has no open
// window, and how many devices have one. Nothing is stored.
func (j *Journal) Signal(ctx context.Context, from api.DeviceID, log api.LogID, message []byte, most int) (member bool, devices int, err error) {
	l, err := j.acquire(ctx, log)
	if err != nil {
		return false, 0, err
	}
	defer j.release(l)
	sinks, last, devices, member := j.signaled(l, from)
	if !member || devices > most || len(sinks) == 0 {
		return member, devices, nil
	}
	frame, err := api.Marshal(api.Frame{Push: &api.Push{Log: log, Last: last, Signal: message, From: from}})
	if err != nil {
		return member, devices, err
	}
	for _, s := range sinks {
		(*s).Push(log, last, frame)
	}
	return member, devices, nil
}

// signaled gives the sinks of all open windows but one device's.
func (j *Journal) signaled(l *Log, from api.DeviceID) (all []*Sink, last uint64, devices int, member bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.sinks.mu.RLock()
	defer j.sinks.mu.RUnlock()
	for device, w := range l.windows {
		switch {
		case w.to > 0:
		case device == from:
			member = true
			devices++
		default:
			devices++
			all = append(all, j.sinks.byDevice[device]...)
		}
	}
	return all, l.last, devices, member
}
